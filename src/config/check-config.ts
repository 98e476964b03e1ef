import type { Config } from './config.ts'
import type { ConfigProblem } from './config-problem.ts'
import { loadFile, type Surroundings } from './load-file.ts'

/** What is to be said of a file; good when `problems` is empty. */
export interface ConfigReport {
  readonly path: string
  readonly problems: readonly ConfigProblem[]
  readonly warnings: readonly string[]
  /** `null` when there are problems. */
  readonly config: Config | null
}

/**
 * Looks at a file as a start would, without starting anything. `absent` is a problem here.
 */
export async function checkConfig(path: string, around: Surroundings = {}): Promise<ConfigReport> {
  const file = await loadFile(path, 1, around)
  if (file.status === 'valid')
    return { path, problems: [], warnings: file.config.table.warnings, config: file.config }
  const problems =
    file.status === 'invalid'
      ? file.problems
      : [{ line: 1, column: 1, field: '', message: 'does not exist; "tierline config init" writes one' }]
  return { path, problems, warnings: [], config: null }
}
