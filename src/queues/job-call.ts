import { Job, type Queue } from 'bullmq'
import { BULL_SCRIPTS, type BullScript } from './bullmq-scripts.ts'
import { type Delivery, jobOf } from './delivery.ts'

/** The script with which BullMQ would add a job, and what it would give it. */
export interface JobCall {
  script: BullScript
  keys: readonly string[]
  /** Packed. */
  args: readonly (string | Buffer)[]
}

/** Asks BullMQ for it, on a connection that sends nothing. */
export function jobCall(queue: Queue, delivery: Delivery): JobCall {
  const { name, data, options } = jobOf(delivery)
  let call: JobCall | undefined
  const recorder = {
    /** `addStandardJob:6.7.0`, its keys, its arguments. */
    runCommand(command: string, keysAndArgs: readonly (string | Buffer)[]) {
      const script = command.split(':', 1)[0] as BullScript
      const { keys } = BULL_SCRIPTS[script]
      call = { script, keys: keysAndArgs.slice(0, keys) as string[], args: keysAndArgs.slice(keys) }
      return Promise.resolve(delivery.id)
    },
  }
  void new Job(queue, name, data, options, delivery.id).addJob(recorder as never)
  return call!
}

/** What such a script is given for a job beside its keys, not packed yet: a test holds it to `jobCall`. */
export function jobArguments(queue: Queue, delivery: Delivery) {
  const { name, data, options } = jobOf(delivery)
  const about = [queue.toKey(''), delivery.id, name, Date.now()]
  return [about, JSON.stringify(data), { attempts: 0, ...options }] as const
}
