import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { WASI } from 'node:wasi'
import { type Connection, type HostImports, ValkeyBase, type ValkeyInternals } from './valkey-internals.ts'

const HOST = '127.0.0.1'

/** How often the module looks at its clock: blocked clients and expiring keys are late by up to this. */
const TICK_MS = 20

/** Passes in a row while there is traffic; more would keep the sockets from being read. */
const MAX_PASSES = 16

/**
 * Valkey as WebAssembly, quick enough to work with: as published it leaves work lying for up to 100 ms.
 *
 * Keeps nothing: it is empty after every start.
 */
export class EmbeddedValkey extends ValkeyBase {
  readonly #password: string
  readonly #onFailure: (error: unknown) => void
  #trafficSeen = false

  /** `onFailure` hears of the module's end by itself: a bug, a full memory, a client's `SHUTDOWN`. */
  constructor(options: { port: number; password: string; onFailure: (error: unknown) => void }) {
    super({ host: HOST, port: options.port })
    this.#password = options.password
    this.#onFailure = options.onFailure
  }

  get url(): string {
    return `redis://:${this.#password}@${HOST}:${this.port}`
  }

  /** Listens when it resolves. @throws {Error} `EADDRINUSE` and the like. */
  async start(): Promise<void> {
    // The module's log goes to stderr: stdout is for what the process has to say.
    const wasi = new WASI({ version: 'preview1', args: ['valkey-server'], stdout: 2, stderr: 2 })
    const module = await WebAssembly.compile(await readFile(this.wasmPath))
    this.instance = (await WebAssembly.instantiate(module, {
      wasi_snapshot_preview1: wasi.wasiImport,
      host: this.hostImports(),
      env: {
        __c_longjmp: new WebAssembly.Tag({ parameters: ['i32'] }) as unknown as WebAssembly.ImportValue,
      },
    })) as unknown as ValkeyInternals['instance']
    wasi.initialize(this.instance)
    this.instance.exports.rk_boot(this.port)
    // In the same turn as the boot, so that nobody connects before there is a password.
    this.#command('CONFIG', 'SET', 'maxmemory-policy', 'noeviction', 'requirepass', this.#password)
    const [listener] = this.listeners.values()
    if (!listener!.server.listening) await once(listener!.server, 'listening')
    this.timer = setInterval(() => this.step(), TICK_MS)
  }

  override hostImports(): HostImports {
    const imports = super.hostImports()
    return {
      ...imports,
      accept: (listener) => {
        const connection = imports.accept(listener)
        if (connection >= 0) this.#traffic(connection)?.socket.setNoDelay(true)
        return connection
      },
      read: (connection, pointer, length) => {
        const bytes = imports.read(connection, pointer, length)
        if (bytes > 0) this.#traffic(connection)
        return bytes
      },
      write: (connection, pointer, length) => {
        // What a slow reader leaves waits inside Valkey, where limits on memory hold.
        if (this.socks.get(connection)?.backpressured) return -1
        this.#traffic(connection)
        return imports.write(connection, pointer, length)
      },
    }
  }

  override step(): void {
    if (this.closed) return
    try {
      let passes = 0
      do {
        this.#trafficSeen = false
        this.instance.exports.rk_step()
        passes += 1
      } while (this.#trafficSeen && passes < MAX_PASSES)
    } catch (error) {
      void this.stop()
      this.#onFailure(error)
      return
    }
    if (this.#trafficSeen) setImmediate(() => this.step())
  }

  /** Theirs reads the environment at every read and write. */
  override dbg(): void {}

  #traffic(connection: number): Connection | undefined {
    this.#trafficSeen = true
    return this.socks.get(connection)
  }

  /** Runs one command from inside, without a socket. @throws {Error} unless the answer is `OK`. */
  #command(...words: string[]): void {
    const answers: Buffer[] = []
    const parts = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`)
    const connection = this.allocFd()
    this.socks.set(connection, {
      socket: pretendSocket((bytes) => answers.push(bytes)),
      chunks: [Buffer.from(`*${words.length}\r\n${parts.join('')}`)],
      off: 0,
      eof: false,
      backpressured: false,
    })
    const [listener] = this.listeners.values()
    listener!.pending.push(connection)
    this.step()
    this.socks.get(connection)!.eof = true
    this.step()
    const answer = Buffer.concat(answers).toString()
    if (answer !== '+OK\r\n')
      throw new Error(`Cannot set up the embedded Valkey: it answers "${answer.trim()}"`)
  }
}

function pretendSocket(write: (bytes: Buffer) => void): Connection['socket'] {
  const socket = {
    write: (bytes: Buffer) => {
      write(bytes)
      return true
    },
    destroy: () => socket,
    setNoDelay: () => socket,
  }
  return socket as unknown as Connection['socket']
}
