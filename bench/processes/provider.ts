/** The scripted model provider. */
import { type ScriptedProvider, startScriptedProvider } from '../../test/provider/server.ts'
import { answerQuestions } from '../bench-process.ts'

let provider: ScriptedProvider | undefined

async function start(): Promise<{ url: string }> {
  provider = await startScriptedProvider()
  return { url: provider.url }
}

const handlers = answerQuestions({ start }, async () => provider?.close())
export type ProviderHandlers = typeof handlers
