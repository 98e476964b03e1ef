/**
 * Which messages of a session belong to one turn. Pure.
 *
 * More than those whose parent is our message: when the context is full, OpenCode compacts the session in
 * the middle of a turn and goes on under a user message of its own making (docs/opencode.md "Compaction").
 */
import type { AssistantInfo, WireMessage } from './wire.ts'

/** Our user message first, then what it led to, in order; empty when the session does not have it. */
export function turnMessages(all: readonly WireMessage[], messageID: string): WireMessage[] {
  const start = all.findIndex(({ info }) => info.id === messageID)
  if (start === -1) return []
  const prompt = promptOf(all[start]!)
  const parents = new Set([messageID])
  const turn = [all[start]!]
  let isCompacted = false
  for (const message of all.slice(start + 1)) {
    const { info } = message
    if (info.role === 'assistant') {
      if (parents.has(info.parentID)) turn.push(message)
      continue
    }
    const isCompaction = message.parts.some(({ type }) => type === 'compaction')
    if (!isCompaction && !(isCompacted && continues(message, prompt))) break
    isCompacted = isCompaction
    parents.add(info.id)
    turn.push(message)
  }
  return turn
}

/** The answers of a turn; summaries of a compaction are among them. */
export function answersOf(turn: readonly WireMessage[]): (WireMessage & { info: AssistantInfo })[] {
  return turn.filter(
    (message): message is WireMessage & { info: AssistantInfo } => message.info.role === 'assistant',
  )
}

/** After a compaction OpenCode asks for more, or sends the prompt that did not fit once again. */
function continues(message: WireMessage, prompt: string): boolean {
  const isSynthetic = message.parts.some((part) => part.type === 'text' && part.synthetic)
  return isSynthetic || promptOf(message) === prompt
}

function promptOf({ parts }: WireMessage): string {
  return parts.flatMap((part) => (part.type === 'text' && !part.synthetic ? [part.text] : [])).join('\n')
}
