/** Submit of a comparison: everything that its tasks could be refused for is found out before anything is written. */
import { TierlineError } from '../errors.ts'
import { NESTED_QUEUE } from '../routing/queue-of.ts'
import { CompareInput, type CompareSpec, inputOfColumn, splitCompareInput } from '../tasks/compare-input.ts'
import { comparisonRoute } from '../tasks/comparison-route.ts'
import { type ParsedTaskInput, promptBytes } from '../tasks/input.ts'
import { nearestNames } from '../tasks/nearest.ts'
import { checkPromptBytes, parseWith, refuseProto } from '../tasks/parse-input.ts'
import type { Route } from '../tasks/route.ts'
import type { Task } from '../tasks/task.ts'
import type { Admitted } from './new-record.ts'
import type { Accepted } from './submit.ts'
import type { AcceptOnce } from './submit-once.ts'

/** OpenCode's own agent that changes nothing. */
const READING_AGENT = 'plan'

export interface SubmitCompareDeps {
  admitParsed(input: ParsedTaskInput, caller: string | null, options?: { sends: boolean }): Promise<Admitted>
  submitAdmitted(admitted: Admitted): Promise<Task>
  /** For one that has an idempotency key. */
  acceptOnce: AcceptOnce
  maxPromptBytes(): number
  /** Names of the verifiers in force. */
  verifiers(): readonly string[]
}

/**
 * The comparison is one task that sends nothing and waits for its children, so it takes no slot of a tier. The
 * children are made when it runs.
 */
export function createSubmitCompare(deps: SubmitCompareDeps) {
  const { admitParsed, submitAdmitted, acceptOnce, maxPromptBytes, verifiers } = deps

  /** @throws {TierlineError} all that a submit throws, `unknown_verifier`. */
  async function acceptCompare(raw: unknown, caller: string | null): Promise<Accepted> {
    refuseProto(raw, 'Cannot accept the comparison')
    const { idempotencyKey, ...parsed } = parseWith(CompareInput, raw, 'Cannot accept the comparison')
    const { input, spec } = splitCompareInput(parsed, isolationOf(parsed))
    const admit = () => admitCompare(parsed, input, spec, caller)
    if (idempotencyKey === undefined) return { status: 202, task: await submitAdmitted(await admit()) }
    return acceptOnce({ key: { caller, idempotencyKey }, input, whole: parsed, admit })
  }

  async function compare(raw: unknown, caller: string | null = null): Promise<Task> {
    return (await acceptCompare(raw, caller)).task
  }

  async function admitCompare(
    parsed: Pick<CompareInput, 'models'>,
    input: ParsedTaskInput,
    spec: CompareSpec,
    caller: string | null,
  ): Promise<Admitted> {
    checkPromptBytes(input, promptBytes(input), maxPromptBytes())
    if (spec.verify !== undefined) checkVerifier(spec.verify, verifiers())
    const columns = parsed.models === undefined ? 'tiers' : 'models'
    for (const [index, column] of spec.columns.entries())
      await admitParsed(inputOfColumn(input, spec, column), caller).catch((error) => {
        throw atColumn(error, columns, index)
      })
    const admitted = await admitParsed(input, caller, { sends: false })
    const route = routeOfComparison(admitted.route, spec)
    return { ...admitted, route, queue: NESTED_QUEUE, compare: spec }
  }

  return { compare, acceptCompare }
}

/** As it was decided for its input, without what is true of its tasks alone. */
export function routeOfComparison(route: Route, { columns }: CompareSpec): Route {
  return comparisonRoute(
    route,
    columns.map(({ model, tier }) => model ?? tier!),
  )
}

/** Who may write gets a copy of its own. Where nobody named a directory there is nothing to be copied. */
function isolationOf({ directory, agent }: { directory?: unknown; agent?: unknown }): 'worktree' | 'shared' {
  return directory === undefined || agent === READING_AGENT ? 'shared' : 'worktree'
}

function checkVerifier(given: string, names: readonly string[]): void {
  if (names.includes(given)) return
  const known = names.length === 0 ? 'the configuration file has none' : `there are ${names.join(', ')}`
  throw new TierlineError('unknown_verifier', `Cannot verify with "${given}": ${known}`, {
    errors: [
      { field: 'verify', message: 'is no verifier of the file', given, allowed: nearestNames(given, names) },
    ],
  })
}

/** `model` is `models.1` in a comparison. */
function atColumn(error: unknown, columns: 'models' | 'tiers', index: number): unknown {
  if (!(error instanceof TierlineError)) return error
  const own = columns === 'models' ? 'model' : 'tier'
  const errors = error.errors.map((one) =>
    one.field === own ? { ...one, field: `${columns}.${index}` } : one,
  )
  return new TierlineError(error.code, error.message, { errors, cause: error })
}
