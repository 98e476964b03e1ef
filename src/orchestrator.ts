/** Composition root: puts the parts together and holds no logic. What others need of it are narrow ports. */
import { composeAccepting } from './composition/accepting.ts'
import { layFoundation } from './composition/foundation.ts'
import { composePorts } from './composition/ports.ts'
import { startMaintaining } from './composition/start-maintaining.ts'
import { startWorker } from './composition/start-worker.ts'
import { storesOn } from './composition/stores-on.ts'
import { createTaskHandle } from './operations/task-handle.ts'
import type { OrchestratorOptions, WorkerOptions } from './orchestrator-options.ts'
import { closeConnection } from './redis/close-connection.ts'
import type { TaskHandle } from './tasks/handle.ts'

export type { ConfigSource, Limits, OrchestratorOptions, WorkerOptions } from './orchestrator-options.ts'

export type Orchestrator = Awaited<ReturnType<typeof createOrchestrator>>

/** Connects twice to Redis. A worker adds one connection, and maintenance does. */
export async function createOrchestrator(options: OrchestratorOptions) {
  const foundation = await layFoundation(options)
  const { redis, hub, backends, closed, stopWarning } = foundation
  const stores = storesOn(foundation, redis)
  const accepting = composeAccepting(foundation, stores)
  const ports = composePorts(foundation, stores, accepting)
  const closers: (() => Promise<void>)[] = []

  return {
    ...ports,
    handle: (id: string): TaskHandle => createTaskHandle(ports.tasks, id),
    async startWorker(worker: WorkerOptions = {}) {
      const { close } = await startWorker(foundation, accepting, worker)
      closers.unshift(() => close())
      return { close }
    },
    async startMaintaining() {
      const { close } = await startMaintaining(foundation)
      closers.unshift(close)
      return { close }
    },
    /** Closes what was started here. Tasks under way are handed over; who reads or waits is let go. */
    async close(): Promise<void> {
      closed.abort()
      stopWarning()
      await Promise.all(closers.splice(0).map((close) => close()))
      await stores.queues.close()
      await hub.close()
      await Promise.all(backends.map((backend) => backend.close()))
      closeConnection(redis)
    },
  }
}
