/** Many jobs through one embedded Valkey: what it holds must not grow with what went through it. */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { Queue, Worker } from 'bullmq'
import { createTestValkey, type TestValkey } from './test-valkey.ts'

export interface SoakSample {
  jobs: number
  residentMB: number
  diskMB: number
}

export interface SoakOptions {
  /** Where the data directory is made. */
  parent: string
  jobs: number
  /** Called about twenty times. */
  onSample: (sample: SoakSample) => void
}

const BATCH = 500
const MOST_WAITING = 4 * BATCH
const KEPT = { count: 1_000 }
const DATA = { text: 'x'.repeat(900) }

export interface SoakResult {
  /** Of each tenth of the run, the largest. */
  tenths: SoakSample[]
  jobsPerSecond: number
  restartMs: number
  /** After all jobs: waiting, active and failed. */
  left: number
}

export async function soak({ parent, jobs, onSample }: SoakOptions): Promise<SoakResult> {
  const valkey = await createTestValkey(parent, 'everysec')
  const tenths: SoakSample[] = []
  const startedAt = performance.now()
  let done = 0
  const sample = (): void => {
    const now = { jobs: done, residentMB: residentMB(valkey.pid()), diskMB: diskMB(valkey) }
    const tenth = Math.min(9, Math.floor((done / jobs) * 10))
    tenths[tenth] = largest(tenths[tenth] ?? now, now)
  }
  try {
    await valkey.start()
    const queue = new Queue('soak', { connection: await valkey.connect() })
    const options = { connection: await valkey.connect(), concurrency: 50, removeOnComplete: KEPT }
    let wake = () => {}
    const worker = new Worker('soak', async () => {}, options)
    worker.on('error', () => {})
    worker.on('completed', () => {
      done += 1
      wake()
      if (done % 1_000 === 0) sample()
      if (done % Math.ceil(jobs / 20) === 0)
        onSample({ jobs: done, residentMB: residentMB(valkey.pid()), diskMB: diskMB(valkey) })
    })
    for (let added = 0; added < jobs; added += BATCH) {
      await queue.addBulk(Array.from({ length: BATCH }, () => ({ name: 'job', data: DATA })))
      while (added + BATCH - done > MOST_WAITING)
        await new Promise<void>((resolve) => {
          wake = resolve
        })
    }
    while (done < jobs)
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    const seconds = (performance.now() - startedAt) / 1000
    const left = await queue.getJobCountByTypes('waiting', 'active', 'failed')
    await worker.close()
    await valkey.kill()
    const restartedAt = performance.now()
    await valkey.start()
    const restartMs = performance.now() - restartedAt
    await queue.close()
    return { tenths, jobsPerSecond: jobs / seconds, restartMs, left }
  } finally {
    await valkey.close()
  }
}

function largest(a: SoakSample, b: SoakSample): SoakSample {
  return {
    jobs: Math.max(a.jobs, b.jobs),
    residentMB: Math.max(a.residentMB, b.residentMB),
    diskMB: Math.max(a.diskMB, b.diskMB),
  }
}

function residentMB(pid: number): number {
  return Math.round(
    (Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1_024) / 1e6,
  )
}

function diskMB({ directory }: TestValkey): number {
  const sizes = readdirSync(directory).map((name) => {
    // Removed while we look.
    return statSync(join(directory, name), { throwIfNoEntry: false })?.size ?? 0
  })
  return Math.round(sizes.reduce((sum, size) => sum + size, 0) / 1e6)
}
