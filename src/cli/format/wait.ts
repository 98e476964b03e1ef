import type { WaitingFor } from '../../tasks/task.ts'
import { cleanLine } from './clean.ts'

/** `limit: acme/big: 300 of 300 requests this minute, until 2026-11-23T14:05:32Z`. */
export function describeWait({ reason, detail, until }: WaitingFor): string {
  const end = until === null ? '' : `, until ${new Date(until).toISOString().replace(/\.\d+Z$/, 'Z')}`
  return `${reason}: ${cleanLine(detail)}${end}`
}
