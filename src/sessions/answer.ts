/**
 * The answer of a turn, from its text parts in order: a blank line between them, none for an empty part.
 *
 * Here, so that whoever puts the parts of an event log together gets what `TurnOutcome` says.
 */
export function joinAnswer(parts: readonly string[]): string {
  return parts.filter((text) => text !== '').join('\n\n')
}
