import { setFlagsFromString } from 'node:v8'

/**
 * Every object of this process begins young. V8 makes those of a place in the code old at once that mostly outlived a
 * collection there, which at full load is true of all that a running task needs, and goes on for as long as the process
 * lives; objects that were old from the start are kept, with all they point to, until a full collection.
 *
 * It saves an eighth of what `POST /v1/tasks` and a task that does nothing need of the CPU (bench/README.md). To be called
 * before anything is hot.
 */
export function allocateYoung(): void {
  setFlagsFromString('--no-allocation-site-pretenuring')
}
