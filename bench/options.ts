import { parseArgs } from 'node:util'
import type { Engine } from './start-redis.ts'

export interface BenchOptions {
  /** Names of scenarios; `undefined`: all. */
  only: readonly string[] | undefined
  rounds: number
  engine: Engine | undefined
  /** A missed target ends with exit code 1. */
  fail: boolean
}

export const USAGE = `npm run bench -- [--only NAME]… [--rounds N] [--engine native|embedded] [--no-fail]`

/** @throws {TypeError | RangeError} for what is not in `USAGE`. */
export function parseOptions(args: readonly string[], scenarios: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    allowNegative: true,
    options: {
      only: { type: 'string', multiple: true },
      rounds: { type: 'string', default: '5' },
      engine: { type: 'string' },
      fail: { type: 'boolean', default: true },
    },
  })
  const { only, engine, fail } = values
  const rounds = Number(values.rounds)
  if (!Number.isInteger(rounds) || rounds < 1)
    throw new RangeError(`Cannot run "${values.rounds}" rounds: it must be a whole number from 1 on`)
  if (engine !== undefined && engine !== 'native' && engine !== 'embedded')
    throw new RangeError(`Cannot use the engine "${engine}": it must be "native" or "embedded"`)
  for (const name of only ?? [])
    if (!scenarios.includes(name))
      throw new RangeError(`Cannot run the scenario "${name}": there are ${scenarios.join(', ')}`)
  return { only, rounds, engine, fail }
}
