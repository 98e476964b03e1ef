import type { ParsedTaskInput } from '../tasks/input.ts'

/**
 * The line a task stands in, which is also in its record, where the scripts look for it; `undefined`: none. It is a
 * strict gate for one task at a time, held until that is over: see `scripts/line.lua`.
 */
export function lineOf({ sessionID }: Pick<ParsedTaskInput, 'sessionID'>): string | undefined {
  return sessionID === undefined ? undefined : lineOfSession(sessionID)
}

export function lineOfSession(sessionID: string): string {
  return `session:${sessionID}`
}
