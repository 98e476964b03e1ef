import { type ModelID, splitModelID } from '../tasks/model-id.ts'
import type { Caps, RoutingTable } from './table.ts'

const NONE: readonly string[] = []

/** The limits that a turn on this model must keep: of the model, of its provider, of the API key of its task. */
export function limitsFor(
  model: ModelID,
  key: string | null,
  { caps }: Pick<RoutingTable, 'caps'>,
): readonly string[] {
  if (caps === undefined || caps.size === 0) return NONE
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
