import type { Chat } from './chat.ts'

const OPENINGS = ['I looked into it.', 'Here is what I found.', 'That was quick to check.', 'Done.']
const BODIES = [
  'The change is small and keeps the public interface as it is.',
  'Two of the three places needed an edit; the third was right already.',
  'Nothing stands out except one name that promises more than it does.',
  'All of it passes, and the one warning left is an old one.',
]

/** What the model says to a prompt without directives: the same to the same prompt. */
export function plainAnswer({ kind, promptHash }: Pick<Chat, 'kind' | 'promptHash'>): string {
  if (kind === 'title') return 'A scripted title'
  if (kind === 'summary') return 'Summary: the conversation so far was scripted.'
  const seed = Number.parseInt(promptHash.slice(0, 4), 16)
  return `${OPENINGS[seed % OPENINGS.length]} ${BODIES[(seed >> 2) % BODIES.length]}`
}
