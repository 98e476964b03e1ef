/** What a benchmark is, and what it finds. */
import type { RedisClient } from '../src/redis/connect.ts'

/** Where a run has its things; plain data, for processes too. */
export interface Place {
  redisUrl: string
  /** Of this run alone, removed at its end. Absolute. */
  directory: string
  /** Path of the routing table, with the tiers `fast` (50 at a time) and `stream` (200). */
  config: string
}

export interface Bench {
  place: Place
  /** To look at Redis and to empty it; no benchmark sends its own work here. */
  redis: RedisClient
  rounds: number
  progress(sentence: string): void
}

export interface Scenario {
  /** What `--only` takes. */
  name: string
  /** Closes what it opens. */
  run(bench: Bench): Promise<Finding[]>
}

export interface Finding {
  /** What was measured, in words: `enqueue() / Queue.add`. */
  measure: string
  value: number
  /** Least and most of the rounds. */
  spread: readonly [number, number]
  unit: Unit
  /** Without it the finding only informs. */
  target?: { atLeast: number } | { atMost: number }
  /** The figures behind it. */
  detail: string
}

/** `ratio` has no unit. */
export type Unit = 'ratio' | 'ms' | 'µs' | 'MB' | 'lost' | 'commands'

export function isMet({ value, target }: Finding): boolean {
  if (target === undefined) return true
  return 'atLeast' in target ? value >= target.atLeast : value <= target.atMost
}
