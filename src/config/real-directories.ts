import { realpath } from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'
import { createRoutingTable } from '../routing/table.ts'
import type { Config } from './config.ts'

/**
 * The same with the directories of its rules as real paths, which those of tasks are too. One that does not
 * exist yet is followed as far as it does.
 */
export async function withRealDirectories(config: Config): Promise<Config> {
  const { table } = config
  if (!table.rules.some(({ when }) => when.directories)) return config
  const rules = await Promise.all(
    table.rules.map(async (rule) => {
      const { directories } = rule.when
      if (directories === undefined) return rule
      return { ...rule, when: { ...rule.when, directories: await Promise.all(directories.map(followed)) } }
    }),
  )
  return Object.freeze({ ...config, table: createRoutingTable({ ...table, rules }) })
}

/** The real path; of what does not exist yet, as far as it does. */
export async function followed(path: string): Promise<string> {
  const given = resolve(path)
  for (let known = given; ; known = dirname(known)) {
    try {
      return join(await realpath(known), relative(known, given))
    } catch {
      if (dirname(known) === known) return given
    }
  }
}
