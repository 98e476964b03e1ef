import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Processes of budgeted-worker.ts, and what a provider would bill for them, which no Redis knows. */
export interface BudgetedWorkers {
  /** Resolves when it takes tasks. `room`: turns that its budgets have room for. */
  start(room: number): Promise<void>
  /** `kill -9` of the oldest that runs. */
  killOne(): Promise<void>
  killAll(): Promise<void>
  /** Micro-USD of each step that a model was asked for. */
  bill(): number[]
  close(): Promise<void>
}

export function createBudgetedWorkers(redisUrl: string, namespace: string): BudgetedWorkers {
  const bill = mkdtempSync(join(tmpdir(), 'tierline-bill-'))
  const workers: ChildProcess[] = []

  async function killOne(): Promise<void> {
    const worker = workers.shift()!
    if (worker.exitCode !== null || worker.signalCode !== null) return
    const exited = once(worker, 'exit')
    worker.kill('SIGKILL')
    await exited
  }

  async function killAll(): Promise<void> {
    while (workers.length > 0) await killOne()
  }

  return {
    async start(room) {
      const script = new URL('./budgeted-worker.ts', import.meta.url)
      const worker = fork(script, [redisUrl, namespace, bill, String(room)], {
        execArgv: ['--disable-warning=ExperimentalWarning'],
      })
      workers.push(worker)
      await once(worker, 'message')
    },
    killOne,
    killAll,
    bill: () => readdirSync(bill).map((step) => Number(readFileSync(join(bill, step), 'utf8'))),
    async close() {
      await killAll()
      rmSync(bill, { recursive: true, force: true })
    },
  }
}
