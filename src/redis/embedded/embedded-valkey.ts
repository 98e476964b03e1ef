import { once } from 'node:events'
import { createHeldAnswers } from './held-answers.ts'
import { encodeCommand, innerConnection } from './inner-connection.ts'
import { instantiateModule } from './instantiate-module.ts'
import { createModuleClock } from './module-clock.ts'
import { createModuleMemory, type ModuleMemory } from './module-memory.ts'
import { type Connection, type HostImports, ValkeyBase } from './valkey-internals.ts'
import { createWasiHost, type WasiHost } from './wasi-host.ts'

const HOST = '127.0.0.1'

/** How often the module looks at its clock: blocked clients and expiring keys are late by up to this. */
const TICK_MS = 20

/** Passes in a row while there is traffic; more would keep the sockets from being read. */
const MAX_PASSES = 16

/** Of a log that is replayed; the module reads 16 kB in each pass. */
const RECORDS_AT_ONCE = 1_000

/** Of the replication stream in one pass; beyond 16 MB the module would keep a part for the next. */
const MOST_STREAM_BYTES = 8_000_000

export interface EmbeddedValkeyOptions {
  port: number
  /** Its whole file system. */
  directory: string
  /** Hears of the module's end by itself: a bug, a full memory, a client's `SHUTDOWN`. */
  onFailure: (error: unknown) => void
  /**
   * Called when answers are about to leave, with the stream of what they acknowledge complete.
   * `drop`: they must not, and their connections are closed.
   */
  commit: () => 'release' | 'drop'
}

/** A place in Valkey's replication stream. */
export interface StreamPlace {
  streamId: string
  offset: number
}

/**
 * Valkey as WebAssembly, quick enough to work with: as published it leaves work lying for up to 100 ms.
 *
 * What it writes to its replicas can be followed, and no answer leaves before the follower was asked.
 */
export class EmbeddedValkey extends ValkeyBase {
  readonly #options: EmbeddedValkeyOptions
  readonly #wasi: WasiHost
  readonly #clock = createModuleClock()
  readonly #held = createHeldAnswers()
  readonly #freeFds: number[] = []
  #trafficSeen = false
  #isStepComing = false
  #answer: Buffer[] = []
  #control: Connection | undefined
  #follower: { connection: Connection; bytesInPass: number } | undefined
  #memory: ModuleMemory | undefined

  readonly #stepSoon = (): void => {
    this.#isStepComing = false
    this.step()
  }

  constructor(options: EmbeddedValkeyOptions) {
    super({ host: HOST, port: options.port })
    this.#options = options
    this.#wasi = createWasiHost(options.directory, this.#clock)
  }

  /**
   * Loads the snapshot, if there is one. From here to the next turn of the event loop nobody can connect.
   *
   * @throws {Error} when the module ends instead: it cannot load the snapshot.
   */
  async boot(): Promise<void> {
    this.instance = await instantiateModule(this.wasmPath, {
      wasi_snapshot_preview1: this.#wasi.imports,
      host: this.hostImports(),
    })
    this.#memory = createModuleMemory(this.instance.exports.memory)
    this.#wasi.initialize(this.instance)
    this.instance.exports.rk_boot(this.port)
    this.#control = this.#connect((bytes) => this.#answer.push(bytes))
  }

  /** Runs what a log says, at a time when nothing has expired yet. @throws {Error} when it does not work out. */
  replay(stream: readonly Buffer[], database: number): void {
    const errorsBefore = this.#countErrors()
    const answers: Buffer[] = []
    const connection = this.#connect((bytes) => answers.push(bytes))
    const send = (...bytes: Buffer[]): void => {
      connection.chunks.push(...bytes)
      while (connection.chunks.length > 0 && !connection.eof) this.#run()
    }
    send(encodeCommand(['CLIENT', 'REPLY', 'OFF']))
    send(encodeCommand(['SELECT', String(database)]))
    for (let from = 0; from < stream.length; from += RECORDS_AT_ONCE)
      send(...stream.slice(from, from + RECORDS_AT_ONCE))
    send(encodeCommand(['CLIENT', 'REPLY', 'ON']))
    this.#disconnect(connection)
    // The one answer that comes: all before it was whole commands.
    if (Buffer.concat(answers).toString() !== '+OK\r\n' || this.#countErrors() > errorsBefore)
      throw new Error('Valkey does not understand the log')
  }

  /** The time goes on: what expired meanwhile is removed. */
  releaseClock(): void {
    this.#clock.release()
  }

  /** All that changes from now on, in the order and the words in which replicas hear of it. */
  follow(onBytes: (bytes: Buffer) => void): StreamPlace {
    // To be refused a whole copy makes it begin to remember what it sends.
    if (!this.#remembers()) this.#disconnect(this.#connect(() => {}, ['PSYNC', '?', '-1']))
    const info = this.ask('INFO', 'replication')
    const streamId = /^master_replid:(\w+)/m.exec(info)![1]!
    const offset = Number(/^master_repl_offset:(\d+)/m.exec(info)![1])
    let head = ''
    let isStream = false
    const connection = this.#connect(
      (bytes) => {
        if (isStream) return onBytes(bytes)
        head += bytes.toString('latin1')
        isStream = head.endsWith('\r\n')
      },
      ['PSYNC', streamId, String(offset + 1)],
    )
    if (!head.startsWith('+CONTINUE'))
      throw new Error(`Valkey does not give its replication stream: "${head.trim()}"`)
    this.#follower = { connection, bytesInPass: 0 }
    return { streamId, offset }
  }

  /** Lets clients in. @throws {Error} `EADDRINUSE` and the like. */
  async listen(): Promise<void> {
    const [listener] = this.listeners.values()
    if (!listener!.server.listening) await once(listener!.server, 'listening')
    this.timer = setInterval(() => this.step(), TICK_MS)
  }

  /** Runs one command from inside, at once; gives its answer as it is. @throws {Error} for an error. */
  ask(...words: string[]): string {
    const answer = this.tell(...words)
    if (answer === '' || answer.startsWith('-'))
      throw new Error(`Cannot run ${words[0]} in the embedded Valkey: it answers "${answer.trim()}"`)
    return answer
  }

  /** As `ask`, whatever the answer is. */
  tell(...words: string[]): string {
    this.#answer = []
    this.#control!.chunks.push(encodeCommand(words))
    this.#run()
    // What others were answered meanwhile is to leave too.
    this.scheduleStep()
    return Buffer.concat(this.#answer).toString()
  }

  override hostImports(): HostImports {
    const imports = super.hostImports()
    return {
      ...imports,
      accept: (listener) => {
        const fd = imports.accept(listener)
        if (fd >= 0) this.#traffic(fd)?.socket.setNoDelay(true)
        return fd
      },
      poll: (interest, count, fired, most, timeoutMs) => {
        // What was written before this was all that a pass begins with: only what comes now needs another.
        this.#trafficSeen = false
        return imports.poll(interest, count, fired, most, timeoutMs)
      },
      read: (fd, pointer, length) => {
        const bytes = imports.read(fd, pointer, length)
        if (bytes > 0) this.#traffic(fd)
        return bytes
      },
      write: (fd, pointer, length) => {
        const connection = this.socks.get(fd)
        // What a slow reader leaves waits inside Valkey, where limits on memory hold.
        if (connection === undefined || connection.eof || connection.backpressured) return -1
        this.#trafficSeen = true
        this.#write(connection, pointer, length)
        return length
      },
      close: (fd) => {
        const connection = this.socks.get(fd)
        if (connection === undefined) return imports.close(fd)
        if (connection === this.#follower?.connection)
          throw new Error('Valkey has closed its replication stream')
        if (this.#held.closeLater(connection)) this.socks.delete(fd)
        else imports.close(fd)
        this.#freeFds.push(fd)
      },
    }
  }

  override step(): void {
    if (this.closed) return
    try {
      this.#run()
      // More of the stream may be to come, and with it what an answer acknowledges.
      if (this.#isStreamWhole()) {
        if (this.#options.commit() === 'release') this.#held.release()
        else this.#held.drop()
      }
    } catch (error) {
      void this.stop()
      this.#options.onFailure(error)
      return
    }
    if (this.#isMoreComing()) this.scheduleStep()
  }

  /** Once for all sockets that something came in on: one look at them, one write to the log. */
  override scheduleStep(): void {
    if (this.#isStepComing) return
    this.#isStepComing = true
    setImmediate(this.#stepSoon)
  }

  /** Numbers are used again: the module knows only so many. */
  override allocFd(): number {
    return this.#freeFds.pop() ?? super.allocFd()
  }

  /** Theirs reads the environment at every read and write. */
  override dbg(): void {}

  /** Theirs makes a new one for each. */
  override mem(): Buffer {
    return this.#memory!.bytes()
  }

  #run(): void {
    let passes = 0
    do {
      this.#trafficSeen = false
      if (this.#follower) this.#follower.bytesInPass = 0
      this.#clock.goOn()
      this.instance.exports.rk_step()
      passes += 1
    } while (this.#isMoreComing() && passes < MAX_PASSES)
  }

  #isMoreComing(): boolean {
    return this.#trafficSeen || !this.#isStreamWhole()
  }

  #isStreamWhole(): boolean {
    return this.#follower === undefined || this.#follower.bytesInPass < MOST_STREAM_BYTES
  }

  #write(connection: Connection, pointer: number, length: number): void {
    const bytes = Buffer.allocUnsafe(length)
    this.mem().copy(bytes, 0, pointer, pointer + length)
    if (connection === this.#follower?.connection) this.#follower.bytesInPass += length
    if (connection.hear) connection.hear(bytes)
    else this.#held.hold(connection, bytes)
  }

  #connect(hear: (bytes: Buffer) => void, words: readonly string[] = []): Connection {
    const connection = innerConnection(hear)
    if (words.length > 0) connection.chunks.push(encodeCommand(words))
    const fd = this.allocFd()
    this.socks.set(fd, connection)
    const [listener] = this.listeners.values()
    listener!.pending.push(fd)
    this.#run()
    return connection
  }

  #disconnect(connection: Connection): void {
    connection.eof = true
    this.#run()
  }

  #remembers(): boolean {
    return this.ask('INFO', 'replication').includes('repl_backlog_active:1')
  }

  #countErrors(): number {
    return Number(/^total_error_replies:(\d+)/m.exec(this.ask('INFO', 'stats'))![1])
  }

  #traffic(fd: number): Connection | undefined {
    this.#trafficSeen = true
    return this.socks.get(fd)
  }
}
