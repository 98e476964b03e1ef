import type { Terminal } from '../terminal.ts'
import type { View } from './view.ts'

/** For programs: each event as one line of JSON, as the server sends it. */
export function createJsonView(terminal: Terminal): View {
  return { show: terminal.printJsonLine, close() {} }
}
