import { expect } from 'vitest'
import { createBudgetStore } from '../../src/budget/budget-store.ts'
import { createLimiter } from '../../src/limits/limiter.ts'
import { createQuotas } from '../../src/redis/quotas.ts'
import { scriptsOn } from '../../src/redis/scripts.ts'
import type { TaskInput } from '../../src/tasks/input.ts'
import { budget } from '../budget/budget.ts'
import { finished, test } from '../setup/core-test.ts'
import { eventually } from '../setup/eventually.ts'

const SLOT = { concurrency: 1, requestsPerMinute: null, tokensPerMinute: null }
const OF_LINT = budget({ scope: 'type:lint', limitMicroUsd: 1_000_000 })

/** Each of these waits for its own thing, and no worker is left to free it, or to tell. */
const WAITING: Record<string, TaskInput> = {
  'a slot': { model: 'acme/nano', prompt: 'Hello' },
  'a slot that it has': { model: 'acme/mini', prompt: 'Hello' },
  'a directory': { model: 'acme/big', prompt: 'Hello', isolation: 'exclusive' },
  money: { model: 'acme/big', type: 'lint', prompt: 'Hello' },
}

test('what processes that died have left is freed by the maintenance, and who waits for it is told', {
  timeout: 90_000,
}, async ({ core, redis: { keys } }) => {
  core.config.swap({
    caps: new Map([
      ['model:acme/nano', SLOT],
      ['model:acme/mini', SLOT],
    ]),
    budgets: [OF_LINT],
  })
  const orchestrator = await core.startWorking()
  const scripts = scriptsOn(core.redis)
  const parts = {
    redis: core.redis,
    scripts,
    keys,
    quotas: createQuotas({ scripts, keys, wake: async () => {} }),
  }
  const limiter = createLimiter(parts)
  const cost = { requests: 1, tokens: 1 }
  for (const name of ['nano', 'mini'])
    await limiter.enter({
      ...{ taskID: `gone-${name}`, key: null, depth: 1, limits: [`model:acme/${name}`], cost, how: 'start' },
    })
  await core.redis.sadd(keys.gate('directory:').holding, 'gone')
  await core.redis.sadd(keys.gateLines, 'directory:')
  const all = OF_LINT.limitMicroUsd
  const hold = { taskID: 'gone', fence: 1, wantMicroUsd: all, leastMicroUsd: all }
  const shares = [{ budget: OF_LINT, spentMicroUsd: 0, holds: true }]
  await core.redis.hset(keys.task('gone'), { fence: 1, state: 'running' })
  await createBudgetStore(parts).hold({ ...hold, shares }, 1, () => undefined)
  await core.redis.del(keys.task('gone'))

  const tasks = await Promise.all(Object.values(WAITING).map((input) => orchestrator.tasks.submit(input)))
  for (const { id } of tasks)
    await eventually(async () =>
      expect(await orchestrator.tasks.get(id)).toMatchObject({ state: 'waiting', waitingFor: {} }),
    )
  // It is let through, and the word is lost.
  await limiter.leave('gone-mini')
  expect(await limiter.isGranted(tasks[1]!.id)).toBe(true)

  await orchestrator.startMaintaining()
  for (const [index, what] of Object.keys(WAITING).entries())
    expect(await finished(orchestrator, tasks[index]!.id), what).toMatchObject({ state: 'succeeded' })
  expect(await core.redis.exists(`${keys.limits}holders`, `${keys.limits}waiters`)).toBe(0)
  await eventually(async () => expect(await core.redis.exists(keys.holds)).toBe(0))
})
