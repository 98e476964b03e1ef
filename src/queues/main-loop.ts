/**
 * The main loop of BullMQ's worker, which asks for jobs one after the other and begins with none before it knows of no
 * other. This one begins with each as it comes, and asks for all that are known to wait at once.
 */
import { AsyncFifoQueue, type Job, type Worker } from 'bullmq'

type Fetched = Job | undefined

/** Of BullMQ's worker, what its loop stands on; most of it is its own. */
interface LoopingWorker extends Pick<Worker, 'id' | 'concurrency' | 'closing' | 'processJob'> {
  mainLoop(): Promise<void>
  mainLoopQueue: AsyncFifoQueue<Fetched> | null
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

  async function loop(worker: LoopingWorker): Promise<void> {
    const underWay = new AsyncFifoQueue<Fetched>()
    worker.mainLoopQueue = underWay
    const isOpen = () => !worker.closing && !worker.paused
    hasRoom = () => underWay.numTotal() < worker.concurrency
    const hasSlot = () => underWay.numTotal() <= worker.concurrency
    mayGoOn = () => isOpen() && hasSlot()
    const mayAsk = () =>
      isOpen() &&
      worker.waiting === null &&
      hasRoom() &&
      (asking === 0 || known > 0) &&
      !worker.isRateLimited()
    let tokens = 0
    const options = { delayInMs: worker.opts.runRetryDelay, onlyEmitError: true }

    function ask(): void {
      const token = `${worker.id}:${tokens++}`
      asking += 1
      known = Math.max(0, known - 1)
      const answer = worker.retryIfFailed(() => worker._getNextJob(token, { block: true }), options)
      underWay.add(
        answer.finally(() => {
          asking -= 1
        }),
      )
    }

    while (isOpen() || underWay.numTotal() > 0) {
      while (mayAsk()) ask()
      // A job that was asked for, or the next one of a job that is over.
      const job = await underWay.fetch()
      if (job !== undefined) {
        underWay.add(worker.processJob(job, job.token!, hasSlot) as Promise<Fetched>)
      } else if (underWay.numTotal() === 0) await worker.waitForRateLimit()
    }
    if (worker.mainLoopQueue === underWay) worker.mainLoopQueue = null
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
