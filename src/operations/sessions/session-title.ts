/** The title of a session whose client gave none: one that OpenCode does not take for its own, and so keeps. */
export function titleOfSession(now: Date): string {
  return `Session of ${now.toISOString().slice(0, 16).replace('T', ' ')}`
}
