/**
 * Models that fail, kept from all workers for a while: a circuit breaker in Redis.
 *
 * What is known of it lives in this process too, told by a channel, so that a task asks Redis nothing while
 * no model is in trouble. When a cooldown is over one task may try the model (the probe, "half open"); the
 * others go on waiting until that one has had an answer.
 */
import type { RedisClient } from '../redis/connect.ts'
import type { Keys } from '../redis/keys.ts'
import type { RunScript } from '../redis/scripts.ts'
import type { LiveHub } from '../stream/live-hub.ts'
import type { ModelID } from '../tasks/model-id.ts'

export interface CooldownPolicy {
  /** Of a model that fails for the first time; doubles each time its probe fails. 0: none cools down. */
  cooldownMs: number
  maxCooldownMs: number
}

export type TryModel =
  /** `isProbe`: the model was in trouble, and this task is the one that tries it. */
  | { status: 'open'; isProbe: boolean }
  /** `place`: how many wait for it already. */
  | { status: 'cooling'; until: number; place: number }

export interface Cooldowns {
  /** False: no model is in trouble, as far as this process has heard. */
  readonly isAny: boolean
  /** True: the model cools now, as far as this process has heard. */
  isCooling(model: ModelID): boolean
  /**
   * Whether a task may use the model. With `order` it waits for it when it may not: `recovered` tells it.
   * No round trip while the model is in no trouble, one otherwise.
   */
  ask(model: ModelID, taskID: string, order?: number): Promise<TryModel>
  /** The model failed. `retryAfterMs`: what its provider asked to wait. One round trip. */
  cool(model: ModelID, retryAfterMs: number): Promise<void>
  /** The probe went well. Gives those who waited for the model; none when the task is not its probe. */
  recovered(model: ModelID, taskID: string): Promise<string[]>
  close(): void
}

export interface CooldownsDeps {
  redis: RedisClient
  scripts: RunScript
  keys: Keys
  hub: LiveHub
  policy: CooldownPolicy
  now(): number
}

/** A probe that has had no answer by then does not keep the next one waiting. */
const PROBE_MS = 60_000
/** A model that went well for so long begins anew. */
const STRIKE_AGE_MS = 60 * 60_000
const WAITING_AGE_MS = 24 * 60 * 60_000
const MOST_RETRY_AFTER_MS = 24 * 60 * 60_000

/** Listens until it is closed. One round trip, and one more whenever a message may have been lost. */
export async function followCooldowns(deps: CooldownsDeps): Promise<Cooldowns> {
  const { redis, scripts, keys, hub, policy, now } = deps
  /** Of each model in trouble, when its cooldown is over. */
  let known = new Map<string, number>()

  const stop = await hub.listenPlain(keys.coolingChannel, (message) => {
    // Redis is away again: the next look will tell.
    if (message === undefined) return void look().catch(() => {})
    const [, until, model] = /^(\d+) (.*)$/s.exec(message)!
    if (Number(until) === 0) known.delete(model!)
    else known.set(model!, Number(until))
  })
  await look().catch((error) => {
    stop()
    throw error
  })

  async function look(): Promise<void> {
    known = new Map(
      Object.entries(await redis.hgetall(keys.cooling)).map(([model, entry]) => [model, untilOf(entry)]),
    )
  }

  return {
    get isAny() {
      return known.size > 0
    },
    isCooling: (model) => (known.get(model) ?? 0) > now(),

    async ask(model, taskID, order) {
      if (!known.has(model)) return { status: 'open', isProbe: false }
      const [status, until, place] = (await scripts('try-model', [
        keys.cooling,
        keys.gate(`cooldown:${model}`).waiting,
        model,
        taskID,
        now(),
        PROBE_MS,
        order ?? '',
        WAITING_AGE_MS,
      ])) as ['ok' | 'probe' | 'cooling', string, number]
      if (status === 'cooling') return { status, until: Number(until), place }
      return { status: 'open', isProbe: status === 'probe' }
    },

    async cool(model, retryAfterMs) {
      if (policy.cooldownMs === 0) return
      const until = (await scripts('cool-model', [
        keys.cooling,
        model,
        now(),
        policy.cooldownMs,
        policy.maxCooldownMs,
        Math.min(retryAfterMs, MOST_RETRY_AFTER_MS),
        STRIKE_AGE_MS,
        keys.coolingChannel,
      ])) as string
      known.set(model, Number(until))
    },

    async recovered(model, taskID) {
      const waiting = await scripts('clear-model', [
        keys.cooling,
        keys.gate(`cooldown:${model}`).waiting,
        model,
        taskID,
        keys.coolingChannel,
      ])
      return waiting as string[]
    },

    close: stop,
  }
}

/** Which models are kept back now, and until when at least. One round trip. */
export async function readCooldowns(
  redis: RedisClient,
  keys: Keys,
  now: number,
): Promise<ReadonlyMap<string, number>> {
  const entries = Object.entries(await redis.hgetall(keys.cooling))
  return new Map(
    entries.flatMap(([model, entry]): [string, number][] => {
      const until = Math.max(untilOf(entry), Number(entry.split(' ')[2]))
      return until > now ? [[model, until]] : []
    }),
  )
}

/** `'1795334306314 1 0 -'` */
function untilOf(entry: string): number {
  return Number(entry.split(' ', 1)[0])
}
