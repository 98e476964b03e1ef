import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { expect } from 'vitest'
import { finished, test } from '../setup/core-test.ts'
import { eventually } from '../setup/eventually.ts'
import { BILL, BUDGETED, ROOM, SCOPES, TURN_COST } from './budgeted-table.ts'

const TASKS = 200

test('200 tasks at once against room for ten in every scope, workers killed in between: ten are paid for, and the bill, the ledger and every budget say so', {
  timeout: 180_000,
}, async ({ core, redis: { url, namespace, keys } }) => {
  const workers: ChildProcess[] = []
  const startProcess = async () => {
    const worker = fork(new URL('./budgeted-worker.ts', import.meta.url), [url, namespace], {
      execArgv: ['--disable-warning=ExperimentalWarning'],
    })
    workers.push(worker)
    await once(worker, 'message')
  }
  const bill = async () => Object.values(await core.redis.hgetall(`${keys.root}:${BILL}`)).map(Number)
  try {
    core.config.swap(BUDGETED)
    const orchestrator = await core.start()
    const input = { type: 'lint', prompt: 'Hello', maxCostUsd: TURN_COST / 1_000_000 }
    const accepted = await Promise.all(
      Array.from({ length: TASKS }, () => orchestrator.tasks.accept(input, 'ci')),
    )
    await Promise.all([startProcess(), startProcess(), startProcess()])
    for (const worker of workers.slice(0, 2)) {
      const before = (await bill()).length
      await eventually(async () => expect((await bill()).length).toBeGreaterThan(Math.min(before, ROOM - 1)))
      worker.kill('SIGKILL')
    }

    const ends = await Promise.all(accepted.map(({ task }) => finished(orchestrator, task.id)))

    expect(ends.filter(({ state }) => state === 'succeeded')).toHaveLength(ROOM)
    const codes = ends.flatMap(({ error }) => (error === null ? [] : [error.code]))
    expect(new Set(codes)).toEqual(new Set(['budget_exceeded']))
    expect(await bill()).toEqual(Array(ROOM).fill(TURN_COST))
    expect((await orchestrator.money.costs({ groupBy: 'key' })).data).toMatchObject([
      { group: 'ci', costMicroUsd: ROOM * TURN_COST, costEstimatedMicroUsd: 0 },
    ])
    const budgets = await orchestrator.money.budgets()
    expect(
      budgets.map(({ scope, spentMicroUsd, reservedMicroUsd }) => [scope, spentMicroUsd, reservedMicroUsd]),
    ).toEqual(SCOPES.map((scope) => [scope, ROOM * TURN_COST, 0]))
  } finally {
    for (const worker of workers) {
      if (worker.exitCode !== null || worker.signalCode !== null) continue
      worker.kill('SIGKILL')
      await once(worker, 'exit')
    }
  }
})
