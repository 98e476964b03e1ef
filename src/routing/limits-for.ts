import { type ModelID, splitModelID } from '../tasks/model-id.ts'
import type { Caps, RoutingTable } from './table.ts'

const NONE: readonly string[] = []
/** Of each table what was asked for lately: few models, and few keys. */
const known = new WeakMap<ReadonlyMap<string, Caps>, Map<string, readonly string[]>>()
const MOST_KNOWN = 1_000

/** The limits that a turn on this model must keep: of the model, of its provider, of the API key of its task. */
export function limitsFor(
  model: ModelID,
  key: string | null,
  { caps }: Pick<RoutingTable, 'caps'>,
): readonly string[] {
  if (caps === undefined || caps.size === 0) return NONE
  let ofTable = known.get(caps)
  if (ofTable === undefined) {
    ofTable = new Map()
    known.set(caps, ofTable)
  }
  const who = `${model}\n${key ?? ''}`
  let names = ofTable.get(who)
  if (names === undefined) {
    names = namesOf(model, key, caps)
    if (ofTable.size >= MOST_KNOWN) ofTable.clear()
    ofTable.set(who, names)
  }
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
