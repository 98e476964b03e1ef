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

/** The answer must be JSON of this schema; the fence that models like to put around it does no harm. */
function judgeText(text: string, schema: Record<string, unknown>): { passed: boolean; detail: string } {
  const json = /^\s*```(?:json)?\s*\n([\s\S]*?)\n\s*```\s*$/.exec(text)?.[1] ?? text
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch (error) {
    return { passed: false, detail: `is not JSON: ${(error as Error).message}` }
  }
  const parsed = schemaOf(schema)!.safeParse(value)
  if (parsed.success) return { passed: true, detail: '' }
  const [issue] = parsed.error.issues
  return { passed: false, detail: `${issue!.path.join('.') || 'the answer'}: ${issue!.message}` }
}
