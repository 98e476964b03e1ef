import { createMemoryBackend } from '../doubles/memory-backend.ts'
import { describeConformance } from './backend-conformance.ts'

describeConformance('the backend in memory', async () => {
  const backend = createMemoryBackend()
  const { ledger, holds } = backend
  return { backend, other: backend, ledger, ...holds, close: () => backend.close() }
})
