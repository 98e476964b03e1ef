import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { expect } from 'vitest'
import { finished, test } from '../setup/core-test.ts'
import { eventually } from '../setup/eventually.ts'
import { ENDS, LIMITED, MOST, RUNNING } from './limited-table.ts'

const TASKS = 60

test('several worker processes never exceed a limit, and one that is killed leaves its slots to others', {
  timeout: 180_000,
}, async ({ core, redis: { url, namespace, keys } }) => {
  const workers: ChildProcess[] = []
  const startProcess = async () => {
    const worker = fork(new URL('./limited-worker.ts', import.meta.url), [url, namespace], {
      execArgv: ['--disable-warning=ExperimentalWarning'],
    })
    workers.push(worker)
    await once(worker, 'message')
  }
  const letEnd = (turns: number) => core.redis.lpush(`${keys.root}:${ENDS}`, ...Array(turns).fill('one'))
  try {
    core.config.swap(LIMITED)
    const orchestrator = await core.start()
    await orchestrator.startMaintaining()
    await Promise.all([startProcess(), startProcess(), startProcess()])
    const tasks = await Promise.all(
      Array.from({ length: TASKS }, (_, index) =>
        orchestrator.tasks.submit({ tier: index % 2 === 0 ? 'fast' : 'slow', prompt: 'Hello' }),
      ),
    )
    for (const [index, worker] of workers.slice(0, 2).entries()) {
      await letEnd(6)
      await eventually(async () => {
        // What the first one leaves behind may end once more.
        expect(await core.redis.zcard(keys.finished)).toBeGreaterThanOrEqual(index === 0 ? 6 : 8)
        expect(await core.redis.scard(`${keys.root}:${RUNNING}`)).toBe(MOST)
      })
      worker.kill('SIGKILL')
    }
    await letEnd(2 * TASKS)

    for (const { id } of tasks)
      expect(await finished(orchestrator, id)).toMatchObject({ state: 'succeeded', model: 'acme/nano' })
    expect(await core.redis.get(`${keys.root}:most`)).toBe(String(MOST))
    // A worker that was killed between the end of a task and letting it go leaves a slot, which is found.
    await eventually(async () => expect(await core.redis.exists(`${keys.limits}holders`)).toBe(0))
  } finally {
    for (const worker of workers) {
      if (worker.exitCode !== null || worker.signalCode !== null) continue
      worker.kill('SIGKILL')
      await once(worker, 'exit')
    }
  }
})
