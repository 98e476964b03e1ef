import { type Config, configOf } from './config.ts'
import type { ConfigProblem } from './config-problem.ts'
import { crossCheck, notEnforcedYet } from './cross-checks.ts'
import { FileSchema } from './file-schema.ts'
import { schemaProblems } from './schema-problems.ts'
import { parseYaml } from './yaml-source.ts'

export type ParsedFile =
  | { readonly status: 'valid'; readonly config: Config }
  /** At least one problem, in the order of the lines. */
  | { readonly status: 'invalid'; readonly problems: readonly ConfigProblem[] }

/** Pure: text in, configuration of that generation or everything that is wrong with it out. */
export function parseFile(text: string, origin: { path: string; generation: number }): ParsedFile {
  const yaml = parseYaml(text)
  if (yaml.status === 'invalid') return yaml
  const { source } = yaml
  const parsed = FileSchema.safeParse(withoutEmptySections(source.data))
  const problems = parsed.success
    ? crossCheck(parsed.data, source)
    : schemaProblems(parsed.error.issues, FileSchema, source)
  if (!parsed.success || problems.length > 0)
    return { status: 'invalid', problems: problems.sort((a, b) => a.line - b.line || a.column - b.column) }
  return {
    status: 'valid',
    config: configOf(parsed.data, { ...origin, warnings: notEnforcedYet(parsed.data) }),
  }
}

/** `budgets:` with all its lines commented out is `null` in YAML, and meant as absent. */
function withoutEmptySections(data: unknown): unknown {
  if (typeof data !== 'object' || data === null || Array.isArray(data)) return data
  return Object.fromEntries(Object.entries(data).filter(([, value]) => value !== null))
}
