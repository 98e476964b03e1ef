/** The Lua scripts by name. One round trip each. */
import { readFileSync } from 'node:fs'
import type { Redis } from 'ioredis'
import { createScript, type ScriptArg } from './script.ts'

/**
 * Name → number of keys; 0: it varies, and the caller says. The header of each `scripts/<name>.lua` says what
 * keys, arguments and reply are.
 */
const SCRIPTS = {
  'claim-task': 1,
  'write-tasks': 0,
  'end-waiting-task': 6,
  'answer-ask': 1,
  'book-ended': 2,
  'retry-task': 6,
  'remove-task': 7,
  'enter-gate': 1,
  'leave-gate': 1,
  'cool-model': 1,
  'try-model': 2,
  'clear-model': 2,
  'promote-first': 7,
  'take-turn': 1,
  'serve-turn': 1,
  'change-limits': 1,
  'ask-quotas': 1,
} as const

const QUOTAS = ['minutes', 'limit-book', 'limits', 'budgets', 'quotas'] as const

/** Scripts that begin with what other files have. */
const PRELUDES: Partial<Record<string, readonly PartName[]>> = {
  'create-tasks': ['line'],
  'claim-task': ['line', 'claim'],
  'enter-gate': ['line'],
  'leave-gate': ['line'],
  'write-tasks': ['line', ...QUOTAS, 'write'],
  'next-tasks': ['line', 'claim', 'deliver'],
  'end-tasks': ['line', 'claim', 'deliver', ...QUOTAS, 'write'],
  'ask-quotas': QUOTAS,
  'change-limits': ['minutes', 'limit-book', 'limits'],
}

export type ScriptName = keyof typeof SCRIPTS
/** What other scripts begin with. */
type PartName = 'line' | 'claim' | 'deliver' | 'write' | (typeof QUOTAS)[number]
/** What needs scripts of BullMQ before it. */
type SurroundingName = 'create-tasks' | 'next-tasks' | 'end-tasks'

/** Runs a script: first its keys, then its arguments, in one flat list. `numberOfKeys`: of a script where it varies. */
export type RunScript = (
  name: ScriptName,
  keysAndArgs: readonly ScriptArg[],
  numberOfKeys?: number,
) => Promise<unknown>

/** The scripts on a connection. */
export function scriptsOn(redis: Redis): RunScript {
  const names = Object.keys(SCRIPTS) as ScriptName[]
  const scripts = new Map(names.map((name) => [name, createScript(scriptSource(name))]))
  return (name, keysAndArgs, numberOfKeys = SCRIPTS[name]) =>
    scripts.get(name)!(redis, numberOfKeys, keysAndArgs)
}

/**
 * What Redis is given, and knows by its SHA-1; of those that surround BullMQ's, what comes after these;
 * of a part, that alone.
 */
export function scriptSource(name: ScriptName | SurroundingName | PartName): string {
  return [...(PRELUDES[name] ?? []), name].map(source).join('')
}

function source(name: string): string {
  return readFileSync(new URL(`./scripts/${name}.lua`, import.meta.url), 'utf8')
}
