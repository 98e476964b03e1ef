/**
 * The main loop of BullMQ's worker, which asks for jobs one after the other and begins with none before it knows of no
 * other. This one begins with each as it comes, and asks for all that are known to wait at once.
 */
import type { Job, Worker } from 'bullmq'

type Fetched = Job | undefined

/** Of BullMQ's worker, what its loop stands on; most of it is its own. */
interface LoopingWorker extends Pick<Worker, 'id' | 'concurrency' | 'closing' | 'processJob' | 'emit'> {
  mainLoop(): Promise<void>
  readonly paused: boolean | null
  /** While it waits to hear of a job. */
  readonly waiting: Promise<number> | null
  readonly opts: { runRetryDelay?: number }
  isRateLimited(): boolean
  waitForRateLimit(): Promise<void>
  retryIfFailed(ask: () => Promise<Fetched>, options: object): Promise<Fetched>
  _getNextJob(token: string, options: { block: boolean }): Promise<Fetched>
}

export interface MainLoop {
  /** Makes it the loop of a worker that does not run yet. */
  drive(worker: Worker): void
  /** Whether it could take more than what is under way, or asked for. */
  hasRoom(): boolean
  /** Whether a job that is over may be followed by another. */
  mayGoOn(): boolean
  /** So many more could be taken when the last one was given out. */
  wait(jobs: number): void
}

export function createMainLoop(): MainLoop {
  /** Asks that are not answered. */
  let asking = 0
  /** Jobs that wait, and that nobody here has asked for. */
  let known = 0
  let hasRoom = () => true
  let mayGoOn = () => true

  function loop(worker: LoopingWorker): Promise<void> {
    const over = Promise.withResolvers<void>()
    /** Jobs that run, and asks that are not answered. */
    let underWay = 0
    const isOpen = () => !worker.closing && !worker.paused
    hasRoom = () => underWay < worker.concurrency
    const hasSlot = () => underWay <= worker.concurrency
    mayGoOn = () => isOpen() && hasSlot()
    const mayAsk = () =>
      isOpen() &&
      worker.waiting === null &&
      hasRoom() &&
      (asking === 0 || known > 0) &&
      !worker.isRateLimited()
    let tokens = 0
    const options = { delayInMs: worker.opts.runRetryDelay, onlyEmitError: true }

    /** A job that was asked for, or the next one of a job that is over. */
    function follow(fetching: Promise<Fetched>): void {
      underWay += 1
      fetching.then(
        (job) => {
          underWay -= 1
          if (job !== undefined) run(job)
          goOn()
        },
        (error) => {
          underWay -= 1
          worker.emit('error', error)
          goOn()
        },
      )
    }

    function run(job: Job): void {
      follow(worker.processJob(job, job.token!, hasSlot) as Promise<Fetched>)
    }

    function ask(): void {
      const token = `${worker.id}:${tokens++}`
      asking += 1
      known = Math.max(0, known - 1)
      const answer = worker.retryIfFailed(() => worker._getNextJob(token, { block: true }), options)
      follow(
        answer.finally(() => {
          asking -= 1
        }),
      )
    }

    function goOn(): void {
      while (mayAsk()) ask()
      if (underWay > 0) return
      if (isOpen()) worker.waitForRateLimit().then(goOn, over.reject)
      else over.resolve()
    }

    goOn()
    return over.promise
  }

  return {
    drive(worker) {
      const looping = worker as unknown as LoopingWorker
      looping.mainLoop = () => loop(looping)
    },
    hasRoom: () => hasRoom(),
    mayGoOn: () => mayGoOn(),
    wait(jobs) {
      known = Math.max(0, jobs - asking)
    },
  }
}
