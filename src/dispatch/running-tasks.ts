/** The tasks this process runs, so that a cancel finds the one it means. */
import type { Keys } from '../redis/keys.ts'
import type { LiveHub } from '../stream/live-hub.ts'

export interface RunningTasks {
  /** `cancel` aborts when the task is to be cancelled. Call `leave` when it runs no more. */
  enter(id: string): { cancel: AbortSignal; leave(): void }
  readonly size: number
  close(): void
}

/** Listens on the control channel; where a message may have been lost, asks `cancelRequested` instead. */
export async function trackRunningTasks(
  hub: LiveHub,
  keys: Keys,
  cancelRequested: (ids: readonly string[]) => Promise<string[]>,
): Promise<RunningTasks> {
  const running = new Map<string, AbortController>()
  const cancel = (id: string) => running.get(id)?.abort()

  const stop = await hub.listenPlain(keys.control, (message) => {
    if (message?.startsWith('cancel ')) return cancel(message.slice('cancel '.length))
    if (message !== undefined || running.size === 0) return
    cancelRequested([...running.keys()]).then(
      (ids) => ids.forEach(cancel),
      // Redis is away again: the next look will tell.
      () => {},
    )
  })

  return {
    enter(id) {
      const controller = new AbortController()
      running.set(id, controller)
      return {
        cancel: controller.signal,
        leave() {
          // After a lost lock the same task may have come here a second time, while this run goes on.
          if (running.get(id) === controller) running.delete(id)
        },
      }
    },
    get size() {
      return running.size
    },
    close: stop,
  }
}
