/** The rest of a worker process of these tests: everything but its turns is that of the memory backend. */
import { createOrchestrator } from '../../src/orchestrator.ts'
import type { SessionBackend } from '../../src/sessions/backend.ts'
import { createMemoryBackend } from '../doubles/memory-backend.ts'
import { createMemoryConfig, type MemoryConfig } from '../doubles/memory-config.ts'

/** Says `ready` to its parent, and ends with it. */
export async function serveAsWorker(
  { redisUrl, namespace }: { redisUrl: string; namespace: string },
  table: Parameters<MemoryConfig['swap']>[0],
  runTurn: SessionBackend['runTurn'],
): Promise<void> {
  const backend: SessionBackend = {
    ...createMemoryBackend(),
    runTurn,
    // Another worker's session: this one has not seen it begin.
    findSession: async (sessionID) => ({
      ...{ sessionID, directory: undefined, parentID: undefined, metadata: {} },
    }),
  }
  const config = createMemoryConfig()
  config.swap(table)
  const orchestrator = await createOrchestrator({
    ...{ redisUrl, namespace, backends: [backend], config },
    checkDirectory: async (directory) => directory,
    checkOwnDirectory: () => null,
    checkFile: async (url) => url,
    checkRepository: async () => {},
    log: { info() {}, warn() {} },
  })
  await orchestrator.startWorker()
  process.on('disconnect', () => process.exit())
  process.send!('ready')
}
