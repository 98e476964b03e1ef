/** The scripted provider as a process of its own: `node test/provider/main.ts [PORT]` prints `{"url": …}` when ready. */
import { startScriptedProvider } from './server.ts'

const provider = await startScriptedProvider({ port: Number(process.argv[2] ?? 0) })
process.stdout.write(`${JSON.stringify({ url: provider.url })}\n`)
process.once('SIGTERM', () => provider.close())
process.once('SIGINT', () => provider.close())
