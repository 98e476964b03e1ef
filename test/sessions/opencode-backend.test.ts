import { createOpenCodeBackend } from '../../src/sessions/opencode/backend.ts'
import { startScriptedProvider } from '../provider/server.ts'
import { startOpenCodeServer } from '../setup/opencode-server.ts'
import { describeConformance } from './backend-conformance.ts'

describeConformance('the backend of a real OpenCode', async () => {
  const provider = await startScriptedProvider()
  const server = await startOpenCodeServer({ providerUrl: provider.url })
  const { url, username, password } = server
  const backend = createOpenCodeBackend({ server: 'local', url, username, password })
  const other = createOpenCodeBackend({ server: 'local', url, username, password })
  return {
    backend,
    other,
    ...provider,
    async close() {
      await Promise.all([backend.close(), other.close()])
      await server.stop()
      await provider.close()
    },
  }
})
