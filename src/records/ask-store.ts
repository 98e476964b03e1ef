/** The decisions on what running tasks ask of people. Every method is one round trip, and atomic. */
import type { RedisClient } from '../redis/connect.ts'
import type { Keys } from '../redis/keys.ts'
import type { RunScript } from '../redis/scripts.ts'
import type { AskDecision } from './kept-asks.ts'

export type AskStore = ReturnType<typeof createAskStore>

export interface AskStoreOptions {
  redis: RedisClient
  scripts: RunScript
  keys: Keys
}

type Reply = ['gone' | 'unknown' | 'over'] | ['closed' | 'decided', string]

export function createAskStore({ redis, scripts, keys }: AskStoreOptions) {
  const run = async (taskID: string, askID: string, decision: AskDecision, channel: string) =>
    (await scripts('answer-ask', [
      keys.task(taskID),
      askID,
      JSON.stringify(decision),
      channel,
      `answer ${taskID}`,
    ])) as Reply

  return {
    /** For a person: the worker that has the task is told. `closed`: too late. */
    async answer(
      taskID: string,
      askID: string,
      decision: AskDecision,
    ): Promise<'gone' | 'unknown' | 'closed' | 'answered'> {
      const [status] = await run(taskID, askID, decision, keys.control)
      if (status === 'decided') return 'answered'
      return status === 'over' ? 'closed' : status
    },

    /** For the worker itself; gives the decision that holds, its own or one that came before. */
    async decide(taskID: string, askID: string, decision: AskDecision): Promise<AskDecision> {
      const [, held] = await run(taskID, askID, decision, '')
      return held === undefined ? decision : (JSON.parse(held) as AskDecision)
    },

    /** `undefined`: still open. */
    async decisions(taskID: string, askIDs: readonly string[]): Promise<(AskDecision | undefined)[]> {
      const found = await redis.hmget(keys.task(taskID), ...askIDs.map((id) => `answer:${id}`))
      return found.map((text) => (text === null ? undefined : (JSON.parse(text) as AskDecision)))
    },
  }
}
