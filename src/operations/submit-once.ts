/** Submit with an idempotency key: at most one task, however many ask and however often. */
import { createHash } from 'node:crypto'
import { TierlineError } from '../errors.ts'
import type { FirstAnswer, OnceKey, OnceStore } from '../records/once-store.ts'
import { type TaskRecord, viewTask } from '../records/task-record.ts'
import type { ParsedTaskInput } from '../tasks/input.ts'
import { createTaskID } from '../tasks/task-id.ts'
import { type Admitted, newRecord } from './new-record.ts'
import type { Accepted } from './submit.ts'
import type { TakeIn } from './take-in.ts'

export interface AcceptOnceDeps {
  once: OnceStore
  takeIn: TakeIn
  ageMs(): number
}

export interface SubmitOnceDeps {
  acceptOnce: AcceptOnce
  parse(raw: unknown): ParsedTaskInput
  admitParsed(input: ParsedTaskInput, caller: string | null): Promise<Admitted>
}

/** What is to be accepted once. */
export interface OnceRequest {
  key: OnceKey
  /** Of the task, unless this is a repeat. */
  id?: string
  input: ParsedTaskInput
  /** All that makes it the same request. */
  whole: object
  admit(): Promise<Admitted>
}

/** @throws {TierlineError} `idempotency_key_reused`, and all that a submit throws. */
export type AcceptOnce = (request: OnceRequest) => Promise<Accepted>

export function createSubmitOnce({ acceptOnce, parse, admitParsed }: SubmitOnceDeps) {
  return (raw: unknown, caller: string | null): Promise<Accepted> => {
    const { idempotencyKey, ...input } = parse(raw)
    const key = { caller, idempotencyKey: idempotencyKey! }
    return acceptOnce({ key, input, whole: input, admit: () => admitParsed(input, caller) })
  }
}

/** One round trip, also for a repeat: the key is taken in the step that takes the task in. */
export function createAcceptOnce({ once, takeIn, ageMs }: AcceptOnceDeps): AcceptOnce {
  return async ({ key, id = createTaskID(), input, whole, admit }) => {
    const fingerprint = fingerprintOf(whole)
    const admitted = await admit().catch(async (refusal) => {
      // What was accepted once stays so, whatever the table and the directories are now.
      const first = await once.read(key)
      if (first === undefined) throw refusal
      return first
    })
    if ('fingerprint' in admitted) return repeated(admitted)

    const taken = await takeIn(id, admitted, ({ createdAt, route, queue, directory }: TaskRecord) => {
      const answer: FirstAnswer = { id, fingerprint, createdAt, route, queue, directory }
      return { key: once.keyOf(key), answer: JSON.stringify(answer), ageMs: ageMs() }
    })
    if (taken.task !== undefined) return { status: 202, task: taken.task }
    return repeated(JSON.parse(taken.answer) as FirstAnswer)

    /** The answer as it was given, also when the task is over or gone by now. */
    function repeated(first: FirstAnswer): Accepted {
      if (first.fingerprint !== fingerprint) throw reused(key.idempotencyKey, first.id)
      const record = newRecord(first.id, { ...first, input, key: key.caller }, first.createdAt)
      return { status: 200, task: viewTask(record, first.createdAt) }
    }
  }
}

/** Of what the input means: neither the order of its keys nor the way a model is written count. */
function fingerprintOf(input: object): string {
  return createHash('sha256')
    .update(JSON.stringify(sorted(input)))
    .digest('base64url')
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  return Object.entries(value)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, inner]) => [key, sorted(inner)])
}

function reused(key: string, id: string): TierlineError {
  return new TierlineError(
    'idempotency_key_reused',
    `Cannot accept the task: the idempotency key "${key}" belongs to another one, ${id}`,
    { errors: [{ field: 'idempotencyKey', message: 'was used for another task', given: key }] },
  )
}
