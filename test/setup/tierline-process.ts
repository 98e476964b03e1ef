/** `tierline …` as real processes: own data directory, own OpenCode home, models of the scripted provider. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { openCodeProviders } from '../provider/models.ts'
import { type ScriptedProvider, startScriptedProvider } from '../provider/server.ts'
import { endWithTest } from './end-with-test.ts'

const BIN = join(import.meta.dirname, '../../src/cli/bin.js')

export const TEST_CONFIG = `tiers:
  fast: { models: [acme/nano, acme/mini], concurrency: 4 }
  powerful: { models: [acme/big], concurrency: 2 }
routes:
  lint: fast
  analysis: powerful
default: fast
`

export interface Home {
  /** Removed at the end, with all that is in it. */
  dir: string
  dataDir: string
  configFile: string
  provider: ScriptedProvider
  /** For every process of this home. */
  env: Record<string, string>
  remove(): Promise<void>
}

/** A directory with a routing table, and an environment that knows nothing of this machine's user. */
export async function createHome(config = TEST_CONFIG): Promise<Home> {
  const dir = mkdtempSync(join(tmpdir(), 'tierline-e2e-'))
  const provider = await startScriptedProvider()
  const configFile = join(dir, 'tierline.yaml')
  writeFileSync(configFile, config)
  mkdirSync(join(dir, 'project'))
  const openCode = {
    enabled_providers: ['acme', 'globex'],
    provider: openCodeProviders(provider.url),
    model: 'acme/base',
    small_model: 'acme/nano',
  }
  return {
    dir,
    dataDir: join(dir, 'data'),
    configFile,
    provider,
    env: {
      PATH: process.env.PATH ?? '',
      HOME: dir,
      XDG_DATA_HOME: join(dir, 'xdg/data'),
      XDG_CONFIG_HOME: join(dir, 'xdg/config'),
      XDG_STATE_HOME: join(dir, 'xdg/state'),
      XDG_CACHE_HOME: join(dir, 'xdg/cache'),
      OPENCODE_CONFIG_CONTENT: JSON.stringify(openCode),
      TIERLINE_DATA_DIR: join(dir, 'data'),
      TIERLINE_CONFIG: configFile,
      TIERLINE_PORT: '0',
      LOG_LEVEL: 'warn',
    },
    async remove() {
      await provider.close()
      rmSync(dir, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

export interface TierlineProcess {
  child: ChildProcess
  /** The line of JSON it printed when it was ready. */
  ready: { url: string } & Record<string, unknown>
  /** Everything it said on stderr so far. */
  chatter(): string
  /** Sends the signal and waits for the end; gives the exit code. */
  end(signal: NodeJS.Signals): Promise<number | null>
}

/** Starts one that stays, with `--json`, and waits until it is ready. */
export async function startTierline(home: Home, args: readonly string[], env = {}): Promise<TierlineProcess> {
  const child = spawn(process.execPath, [BIN, ...args, '--json'], {
    cwd: join(home.dir, 'project'),
    env: { ...home.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let chatter = ''
  child.stderr.on('data', (chunk) => {
    chatter += chunk
  })
  const exited = once(child, 'exit')
  const first = once(createInterface(child.stdout), 'line')
  const line = await Promise.race([first.then(([text]) => text as string), exited.then(() => undefined)])
  if (line === undefined) throw new Error(`Cannot start tierline ${args.join(' ')}: it said "${chatter}"`)
  return {
    child,
    ready: JSON.parse(line),
    chatter: () => chatter,
    async end(signal) {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill(signal)
        await exited
      }
      return child.exitCode
    },
  }
}

/** Runs one that ends by itself. */
export async function runTierline(
  home: Pick<Home, 'dir' | 'env'>,
  args: readonly string[],
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [BIN, ...args], {
    cwd: home.dir,
    env: home.env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  endWithTest(child)
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
  return { code: child.exitCode, stdout, stderr }
}
