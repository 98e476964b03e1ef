/** Starts and stops what runs: `up`, `serve` and `worker` of the command line. */
import type { Flags } from './config/variables.ts'

export interface ServeOptions {
  /** Flags that beat the environment; still to be read by `readSettings`. */
  settings: Flags
  /** Tell on stdout as one line of JSON where the API is, instead of in words on stderr. */
  json: boolean
}

export interface UpOptions extends ServeOptions {
  /** Tasks of a tier at once in the worker process; undefined: the default of the file. */
  concurrency: number | undefined
}

export interface WorkerOptions extends UpOptions {
  /** Undefined: all. */
  tiers: readonly string[] | undefined
}

/** Runs until SIGINT or SIGTERM; gives the exit code when all is stopped. @throws {TierlineError} at start. */
export async function runUp(_options: UpOptions): Promise<number> {
  throw new Error('not built yet')
}

/** See `runUp`. @throws {TierlineError} `service_not_found` when no services are named and no `up` runs. */
export async function runServe(_options: ServeOptions): Promise<number> {
  throw new Error('not built yet')
}

/** See `runServe`. */
export async function runWorker(_options: WorkerOptions): Promise<number> {
  throw new Error('not built yet')
}
