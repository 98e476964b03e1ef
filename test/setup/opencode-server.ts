/**
 * A real `opencode serve` for tests: own data directories, own password, models of the scripted provider.
 *
 * It can be killed and started again at the same address with the same data, as after a crash.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pretendDependencies } from '../../src/services/opencode-dependencies.ts'
import { openCodeProviders } from '../provider/models.ts'

export interface OpenCodeServer {
  readonly url: string
  readonly username: string
  readonly password: string
  /** Where its tap listens; `undefined`: it has none. */
  readonly tapUrl: string | undefined
  /** The server's own working directory; removed at `stop`. */
  readonly directory: string
  /** `kill -9`, as a crash; resolves when the process is gone. */
  kill(): Promise<void>
  /** After `kill`: the same server again, with the same data. */
  restart(): Promise<void>
  /** What it printed so far. */
  output(): string
  stop(): Promise<void>
}

export interface OpenCodeServerOptions {
  /** Of the scripted provider. */
  providerUrl: string
  /** Merged over the configuration below. */
  config?: Record<string, unknown>
  /** What OpenCode takes itself to be run by; any but `cli` keeps the question tool from all. Default `cli`. */
  client?: string
  /** With the plugin that servers have which tierline starts. */
  tap?: boolean
}

const START_DEADLINE_MS = 60_000

export async function startOpenCodeServer({
  providerUrl,
  config,
  client = 'cli',
  tap = false,
}: OpenCodeServerOptions): Promise<OpenCodeServer> {
  const home = mkdtempSync(join(tmpdir(), 'tierline-opencode-'))
  const directory = join(home, 'work')
  mkdirSync(directory)
  if (tap) pretendDependencies(join(home, 'config', 'opencode'))
  const password = randomBytes(16).toString('hex')
  const [port, tapPort] = await Promise.all([freePort(), freePort()])
  const url = `http://127.0.0.1:${port}`
  const log = join(home, 'output.log')
  const content = {
    enabled_providers: ['acme', 'globex'],
    provider: openCodeProviders(providerUrl),
    model: 'acme/base',
    small_model: 'acme/nano',
    snapshot: false,
    share: 'disabled',
    autoupdate: false,
    ...(tap && { plugin: [new URL('../../src/services/opencode-tap.ts', import.meta.url).href] }),
    ...config,
  }
  const environment = {
    PATH: process.env.PATH,
    HOME: home,
    XDG_DATA_HOME: join(home, 'data'),
    XDG_CONFIG_HOME: join(home, 'config'),
    XDG_STATE_HOME: join(home, 'state'),
    XDG_CACHE_HOME: join(home, 'cache'),
    OPENCODE_SERVER_PASSWORD: password,
    OPENCODE_CONFIG_CONTENT: JSON.stringify(content),
    OPENCODE_CLIENT: client,
    OPENCODE_DISABLE_MODELS_FETCH: '1',
    ...(tap && { TIERLINE_TAP_PORT: String(tapPort) }),
    BUN_CONFIG_MAX_HTTP_REQUESTS: '1000',
    BUN_TMPDIR: home,
  }

  let child: ChildProcess
  async function start(): Promise<void> {
    const output = openSync(log, 'a')
    child = spawn(binary(), ['serve', '--hostname', '127.0.0.1', '--port', String(port)], {
      cwd: directory,
      env: environment,
      stdio: ['ignore', output, output],
    })
    await healthy()
  }

  // A request that reaches the server while it boots may hang for ever: a short timeout on each try.
  async function healthy(): Promise<void> {
    const authorization = `Basic ${Buffer.from(`opencode:${password}`).toString('base64')}`
    for (const deadline = Date.now() + START_DEADLINE_MS; Date.now() < deadline; ) {
      if (child.exitCode !== null) break
      const tried = await fetch(`${url}/global/health`, {
        headers: { authorization },
        signal: AbortSignal.timeout(1_000),
      }).catch(() => undefined)
      if (tried?.ok) return
      await sleep(50)
    }
    throw new Error(`Cannot start opencode: it printed "${readFileSync(log, 'utf8')}"`)
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill(signal)
    await exited
  }

  // A test that is broken off must not leave a server behind.
  const onExit = (): void => void child.kill('SIGKILL')
  process.once('exit', onExit)
  await start()
  return {
    url,
    tapUrl: tap ? `http://127.0.0.1:${tapPort}` : undefined,
    username: 'opencode',
    password,
    directory,
    kill: () => end('SIGKILL'),
    restart: start,
    output: () => readFileSync(log, 'utf8'),
    async stop() {
      await end('SIGKILL')
      process.off('exit', onExit)
      rmSync(home, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

function binary(): string {
  const require = createRequire(import.meta.url)
  const platform = `opencode-${process.platform}-${process.arch}`
  return join(require.resolve(`${platform}/package.json`), '..', 'bin', 'opencode')
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as AddressInfo
  probe.close()
  await once(probe, 'close')
  return port
}
