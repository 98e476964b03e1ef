import { type ModelID, splitModelID } from '../tasks/model-id.ts'
import type { Caps, RoutingTable } from './table.ts'

const NONE: readonly string[] = []
interface Known {
  model: ModelID
  key: string | null
  names: readonly string[]
}

/** Of each table what was asked for lately: few models, and few keys. */
const known = new WeakMap<ReadonlyMap<string, Caps>, Known[]>()
const MOST_KNOWN = 16

/** The limits that a turn on this model must keep: of the model, of its provider, of the API key of its task. */
export function limitsFor(
  model: ModelID,
  key: string | null,
  { caps }: Pick<RoutingTable, 'caps'>,
): readonly string[] {
  if (caps === undefined || caps.size === 0) return NONE
  let asked = known.get(caps)
  if (asked === undefined) {
    asked = []
    known.set(caps, asked)
  }
  for (const one of asked) if (one.model === model && one.key === key) return one.names
  const names = namesOf(model, key, caps)
  if (asked.length === MOST_KNOWN) asked.shift()
  asked.push({ model, key, names })
  return names
}

function namesOf(model: ModelID, key: string | null, caps: ReadonlyMap<string, Caps>): readonly string[] {
  const names = [`model:${model}`, `provider:${splitModelID(model).providerID}`].filter((name) =>
    caps.has(name),
  )
  if (key !== null && (caps.has(`key:${key}`) || caps.has(ANY_KEY))) names.push(`key:${key}`)
  return names
}

/** What holds for each API key that has no limit of its own. */
const ANY_KEY = 'key:*'

/** Whether it limits anything at all. */
export function isLimit({ concurrency, requestsPerMinute, tokensPerMinute }: Caps): boolean {
  return concurrency !== null || requestsPerMinute !== null || tokensPerMinute !== null
}
