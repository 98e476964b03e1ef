import type { Terminal } from '../terminal.ts'

export interface DemoOptions {
  /** Print the result as JSON and no live view. */
  json: boolean
  terminal: Terminal
}

/** Starts everything on free ports, runs a dozen tasks and shows them. Gives the exit code. */
export async function runDemo(_options: DemoOptions): Promise<number> {
  throw new Error('not built yet')
}
