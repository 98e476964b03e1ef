import type { Connection } from './valkey-internals.ts'

/** A client without a socket: what Valkey answers goes to `hear`. `eof` once Valkey has closed it. */
export function innerConnection(hear: (bytes: Buffer) => void): Connection {
  const connection: Connection = {
    socket: {} as Connection['socket'],
    chunks: [],
    off: 0,
    eof: false,
    backpressured: false,
    hear,
  }
  const socket = {
    destroy() {
      connection.eof = true
      return socket
    },
    setNoDelay: () => socket,
  }
  connection.socket = socket as unknown as Connection['socket']
  return connection
}

/** One command as clients send it. */
export function encodeCommand(words: readonly string[]): Buffer {
  const parts = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`)
  return Buffer.from(`*${words.length}\r\n${parts.join('')}`)
}
