import type { Connection } from './valkey-internals.ts'

/** A client without a socket: what Valkey answers goes to `hear`. */
export function innerConnection(hear: (bytes: Buffer) => void): Connection {
  const socket = { destroy: () => socket, setNoDelay: () => socket }
  return {
    socket: socket as unknown as Connection['socket'],
    chunks: [],
    off: 0,
    eof: false,
    backpressured: false,
    hear,
  }
}

/** One command as clients send it. */
export function encodeCommand(words: readonly string[]): Buffer {
  const parts = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`)
  return Buffer.from(`*${words.length}\r\n${parts.join('')}`)
}
