import { basename } from 'node:path'
import type { z } from 'zod'
import { budgetDoubts } from './budget-doubts.ts'
import { checkBudgets } from './check-budgets.ts'
import { type Config, configOf, withWarnings } from './config.ts'
import { type ConfigProblem, formatProblem } from './config-problem.ts'
import { crossCheck } from './cross-checks.ts'
import { type FileContent, FileSchema } from './file-schema.ts'
import { ruleWarnings } from './rule-warnings.ts'
import { salvage } from './salvage.ts'
import { schemaProblems } from './schema-problems.ts'
import { parseYaml, type YamlSource } from './yaml-source.ts'

export type ParsedFile =
  | {
      readonly status: 'valid'
      readonly config: Config
      /** Where the rules stand, in their order: `tierline.yaml:12:5: rules.0`. */
      readonly rulePlaces: readonly string[]
    }
  /** At least one problem, in the order of the lines. */
  | { readonly status: 'invalid'; readonly problems: readonly ConfigProblem[] }

export interface FileOrigin {
  readonly path: string
  readonly generation: number
  /** Names of the API keys there are; absent: not known. */
  readonly keys?: readonly string[] | undefined
}

/** Pure: text in, configuration of that generation or everything that is wrong with it out. */
export function parseFile(text: string, { keys, ...origin }: FileOrigin): ParsedFile {
  const yaml = parseYaml(text)
  if (yaml.status === 'invalid') return yaml
  const { source } = yaml
  const data = withoutEmptySections(source.data)
  const parsed = FileSchema.safeParse(data)
  const problems = parsed.success
    ? checkAll(parsed.data, source)
    : [
        ...schemaProblems(parsed.error.issues, FileSchema, source),
        ...crossCheckRest(data, parsed.error.issues, source),
      ]
  if (!parsed.success || problems.length > 0)
    return { status: 'invalid', problems: problems.sort((a, b) => a.line - b.line || a.column - b.column) }
  const file = parsed.data
  const name = basename(origin.path)
  const placesOf = (section: 'budgets' | 'rules') =>
    file[section].map((_, index) => {
      const { line, column } = source.problemAt([section, index], 'value', { field: '', message: '' })
      return `${name}:${line}:${column}: ${section}.${index}`
    })
  const config = configOf(file, { ...origin, budgetPlaces: placesOf('budgets') })
  const doubts = [...ruleWarnings(file, source, keys), ...budgetDoubts(file, source, config.table, keys)]
  return {
    status: 'valid',
    config: withWarnings(
      config,
      doubts.map((doubt) => formatProblem(name, doubt)),
    ),
    rulePlaces: placesOf('rules'),
  }
}

function checkAll(file: FileContent, source: YamlSource): ConfigProblem[] {
  return [...crossCheck(file, source), ...checkBudgets(file, source)]
}

/** All mistakes at once, as far as they can be told from a file whose form is wrong. */
function crossCheckRest(
  data: unknown,
  issues: readonly z.core.$ZodIssue[],
  source: YamlSource,
): ConfigProblem[] {
  const salvaged = salvage(data, issues)
  if (salvaged === undefined) return []
  return checkAll(salvaged.file, source).filter(({ field }) => !salvaged.isStandIn(field))
}

/** `budgets:` with all its lines commented out is `null` in YAML, and meant as absent. */
function withoutEmptySections(data: unknown): unknown {
  if (typeof data !== 'object' || data === null || Array.isArray(data)) return data
  return Object.fromEntries(Object.entries(data).filter(([, value]) => value !== null))
}
