/** The messages of one session as far as they are known: lists, and the events that came after them. Pure. */
import type { MessageInfo, WireMessage, WirePart } from './wire.ts'

export interface MessageStore {
  /** Oldest first. */
  messages(): readonly WireMessage[]
  /** All there are now. */
  replace(all: readonly WireMessage[]): void
  put(info: MessageInfo): void
  /** The message it is a part of; `undefined`: that is not known. */
  putPart(part: WirePart): WireMessage | undefined
}

export function createMessageStore(): MessageStore {
  let messages: WireMessage[] = []

  return {
    messages: () => messages,
    replace(all) {
      messages = all.map(({ info, parts }) => ({ info, parts: [...parts] }))
    },
    put(info) {
      const index = messages.findLastIndex((message) => message.info.id === info.id)
      if (index === -1) messages.push({ info, parts: [] })
      else messages[index] = { info, parts: messages[index]!.parts }
    },
    putPart(part) {
      const message = messages.findLast(({ info }) => info.id === part.messageID)
      if (!message) return undefined
      const index = message.parts.findLastIndex(({ id }) => id === part.id)
      if (index === -1) message.parts.push(part)
      else message.parts[index] = part
      return message
    },
  }
}
