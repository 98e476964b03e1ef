/** The scripted provider as a process of its own: `node test/provider/main.ts [PORT]` prints `{"url": …, "openCode": …}` when ready. */
import { openCodeProviders } from './models.ts'
import { startScriptedProvider } from './server.ts'

const provider = await startScriptedProvider({ port: Number(process.argv[2] ?? 0) })
/** OpenCode's configuration for it. */
const openCode = {
  provider: openCodeProviders(provider.url),
  enabled_providers: ['acme', 'globex'],
  model: 'acme/base',
  small_model: 'acme/nano',
}
process.stdout.write(`${JSON.stringify({ url: provider.url, openCode })}\n`)
process.once('SIGTERM', () => provider.close())
process.once('SIGINT', () => provider.close())
