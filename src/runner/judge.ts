import vm from 'node:vm'
import { type CompareSpec, schemaOf } from '../tasks/compare-input.ts'
import type { Task, Verdict } from '../tasks/task.ts'

/** Runs a verifier of the configuration file in a directory. `detail`: the end of what it printed. */
export type RunVerifier = (
  name: string,
  directory: string,
  signal: AbortSignal,
) => Promise<{ passed: boolean; detail: string }>

/** What the judge that was asked for says of a task that is over; `undefined`: there is nothing to judge. */
export async function judge(
  { schema, verify }: CompareSpec,
  { result, directory }: Pick<Task, 'result' | 'directory'>,
  runVerifier: RunVerifier,
  signal: AbortSignal,
): Promise<Verdict | undefined> {
  if (result === null) return undefined
  if (schema !== undefined) return { by: 'output', ...judgeText(result.text, schema) }
  if (verify === undefined || directory === null) return undefined
  return { by: verify, ...(await runVerifier(verify, directory, signal)) }
}

/**
 * A pattern of the schema may take a regular expression years: nothing else happens in this process meanwhile, and
 * after 4 s its tasks would be another's.
 */
const JUDGE_MS = 1_000

/** The answer must be JSON of this schema; the fence that models like to put around it does no harm. */
function judgeText(text: string, schema: Record<string, unknown>): { passed: boolean; detail: string } {
  let value: unknown
  try {
    value = JSON.parse(withoutFence(text))
  } catch (error) {
    return { passed: false, detail: `is not JSON: ${(error as Error).message}` }
  }
  const parsed = withinJudgeMs(() => schemaOf(schema)!.safeParse(value))
  if (parsed === undefined)
    return { passed: false, detail: `cannot be held to the schema within ${JUDGE_MS} ms` }
  if (parsed.success) return { passed: true, detail: '' }
  const [issue] = parsed.error.issues
  return { passed: false, detail: `${issue!.path.join('.') || 'the answer'}: ${issue!.message}` }
}

/** By hand: over the blank lines of a model that ends in nothing else a regular expression takes minutes. */
function withoutFence(text: string): string {
  const trimmed = text.trim()
  const firstLine = trimmed.indexOf('\n')
  const opening = trimmed.slice(0, firstLine).trimEnd()
  const isFenced = opening === '```' || opening === '```json'
  const lastLine = trimmed.lastIndexOf('\n')
  if (!isFenced || trimmed.slice(lastLine).trimStart() !== '```') return text
  return trimmed.slice(firstLine, lastLine)
}

/** `undefined`: it takes longer. */
function withinJudgeMs<T>(work: () => T): T | undefined {
  try {
    return vm.runInNewContext('work()', { work }, { timeout: JUDGE_MS }) as T
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') return undefined
    throw error
  }
}
