/** The real processes of a chaos run, each behind a link of its own that can be broken. */
import { join } from 'node:path'
import { createClient, type TierlineClient } from '../../src/client/index.ts'
import { freePort } from '../../src/services/free-port.ts'
import { type ScriptedProvider, startScriptedProvider } from '../provider/server.ts'
import { type OpenCodeServer, startOpenCodeServer } from '../setup/opencode-server.ts'
import { createHome, type Home, startTierline, type TierlineProcess } from '../setup/tierline-process.ts'
import { type Link, startLink } from './link.ts'
import { type LinkName, WORKERS, type Worker } from './plan.ts'
import { type ChaosRedis, startChaosRedis } from './redis.ts'

const CONFIG = `tiers:
  fast: { models: [acme/nano, acme/mini], concurrency: 12 }
  balanced: { models: [acme/base], concurrency: 8 }
  powerful: { models: [acme/big, globex/deep], concurrency: 6 }
routes:
  lint: fast
  review: balanced
  analysis: powerful
default: balanced
models:
  acme: { concurrency: 20, requestsPerMinute: 100000 }
  acme/base: { concurrency: 5 }
budgets:
  - { scope: global, per: once, limitUsd: 1000 }
  - { scope: 'type:lint', per: month, limitUsd: 500 }
tasks:
  silenceMs: 15000
  askTimeoutMs: 3000
  retry: { backoffMs: 500, maxBackoffMs: 4000, maxTries: 5 }
`

export interface Stage {
  readonly home: Home
  readonly redis: ChaosRedis
  readonly openCode: OpenCodeServer
  /** What the models were asked and would bill. */
  readonly provider: ScriptedProvider
  readonly links: Readonly<Record<LinkName, Link>>
  /** Over a link that may break. */
  readonly client: TierlineClient
  /** `kill -9`; resolves when it is gone. */
  killProcess(who: Worker | 'api'): Promise<void>
  startProcess(who: Worker | 'api'): Promise<void>
  /** Sends a signal that does not end it. */
  signal(who: Worker | 'api', signal: 'SIGSTOP' | 'SIGCONT'): void
  /** What a process said, all its lives together. */
  chatter(who: Worker | 'api'): string
  pid(who: Worker | 'api'): number
  /** Ends API and workers as an operator would, and gives their exit codes. */
  endTierline(): Promise<Record<string, number | null>>
  close(): Promise<void>
}

export interface StageOptions {
  /** `embedded`: not the Redis of the PATH. Default `any`. */
  engine?: 'any' | 'embedded'
}

/** Everything up and ready. */
export async function openStage({ engine = 'any' }: StageOptions = {}): Promise<Stage> {
  const home = await createHome(CONFIG)
  const closers: (() => Promise<unknown>)[] = [() => home.remove()]
  const close = async () => {
    for (const closer of closers.reverse()) await closer()
  }
  try {
    const provider = await startScriptedProvider()
    closers.push(() => provider.close())
    const redis = await startChaosRedis(join(home.dir, 'redis'), engine)
    closers.push(() => redis.stop())
    const apiPort = await freePort()
    const links = {} as Record<LinkName, Link>
    const link = async (name: LinkName, port: number) => {
      links[name] = await startLink(port)
      closers.push(() => links[name].close())
    }
    await link('opencode->provider', portOf(provider.url))
    const openCode = await startOpenCodeServer({
      providerUrl: `http://127.0.0.1:${links['opencode->provider'].port}`,
    })
    closers.push(() => openCode.stop())
    for (const who of ['api', ...WORKERS] as const) {
      await link(`${who}->redis`, redis.port)
      await link(`${who}->opencode`, portOf(openCode.url))
    }
    await link('reader->api', apiPort)

    const processes = new Map<Worker | 'api', TierlineProcess>()
    const said = new Map<Worker | 'api', string>()
    const startProcess = async (who: Worker | 'api') => {
      said.set(who, chatter(who))
      const started = await startTierline(home, who === 'api' ? ['serve'] : ['worker'], {
        REDIS_URL: redis.urlAt(links[`${who}->redis`].port),
        OPENCODE_URL: `main=http://127.0.0.1:${links[`${who}->opencode`].port}`,
        OPENCODE_SERVER_PASSWORD: openCode.password,
        TIERLINE_NAMESPACE: 'chaos',
        TIERLINE_PORT: String(apiPort),
      })
      processes.set(who, started)
    }
    const chatter = (who: Worker | 'api') => (said.get(who) ?? '') + (processes.get(who)?.chatter() ?? '')
    const end = async (signal: NodeJS.Signals) =>
      Object.fromEntries(
        await Promise.all([...processes].map(async ([who, one]) => [who, await one.end(signal)] as const)),
      )
    closers.push(() => end('SIGKILL'))
    await Promise.all((['api', ...WORKERS] as const).map(startProcess))

    return {
      home,
      redis,
      openCode,
      provider,
      links,
      client: createClient({
        url: `http://127.0.0.1:${links['reader->api'].port}`,
        patienceMs: 120_000,
        silenceMs: 20_000,
      }),
      async killProcess(who) {
        await processes.get(who)!.end('SIGKILL')
      },
      startProcess,
      signal: (who, signal) => void processes.get(who)!.child.kill(signal),
      chatter,
      pid: (who) => processes.get(who)!.child.pid!,
      endTierline: () => end('SIGTERM'),
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

function portOf(url: string): number {
  return Number(new URL(url).port)
}
