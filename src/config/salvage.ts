/** Of a file that is wrong, what can be checked all the same. */
import type { z } from 'zod'
import { type FileContent, FileSchema } from './file-schema.ts'

type Issue = z.core.$ZodIssue
type Section = Record<PropertyKey, unknown>

/** What says nothing, in place of an entry that is wrong: its name stays known, and others count on that. */
const STAND_INS: Readonly<Record<string, (name: PropertyKey) => unknown>> = {
  tiers: (name) => ({ models: [`stand/${String(name)}`] }),
  routes: () => 'stand/in',
  rules: (index) => ({ when: { key: `stand-in-${String(index)}` }, model: 'stand/in' }),
  models: () => ({}),
  budgets: (index) => ({ scope: `key:stand-in-${String(index)}`, per: 'once', limitUsd: 1_000_000 }),
}

export interface Salvaged {
  readonly file: FileContent
  /** Places that stand for something else: what is said of them says nothing. */
  isStandIn(field: string): boolean
}

/** `undefined`: too little is left, since nobody knows which tiers there are. */
export function salvage(data: unknown, issues: readonly Issue[]): Salvaged | undefined {
  if (!isMap(data)) return undefined
  const copy: Section = structuredClone(data)
  const replaced = new Set<string>()
  for (const issue of issues) {
    const [section, entry] = issue.path
    if (issue.code === 'unrecognized_keys') forget(copy, issue.path, issue.keys)
    else if (section === undefined) return undefined
    else if (entry === undefined || !Object.hasOwn(STAND_INS, section)) delete copy[section]
    else if (issue.code === 'invalid_key') forget(copy, [section], [String(entry)])
    else if (isMap(copy[section]) || Array.isArray(copy[section])) {
      ;(copy[section] as Section)[entry] = STAND_INS[String(section)]!(entry)
      replaced.add(`${String(section)}.${String(entry)}`)
    }
  }
  const parsed = FileSchema.safeParse(copy)
  if (!parsed.success) return undefined
  const places = [...replaced]
  return {
    file: parsed.data,
    isStandIn: (field) => places.some((place) => field === place || field.startsWith(`${place}.`)),
  }
}

function forget(data: unknown, path: readonly PropertyKey[], keys: readonly string[]): void {
  let parent = data
  for (const key of path) parent = (parent as Section | undefined)?.[key]
  if (isMap(parent)) for (const key of keys) delete parent[key]
}

function isMap(value: unknown): value is Section {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
