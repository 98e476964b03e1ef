/** What comes of a text as `tierline.yaml`. */
import type { Config } from '../../src/config/config.ts'
import { type ConfigProblem, formatProblem } from '../../src/config/config-problem.ts'
import { parseFile } from '../../src/config/parse-file.ts'

/** Three lines. */
export const TIERS = `tiers:
  fast: { models: [acme/nano, globex/fast], concurrency: 16 }
  balanced: { models: [acme/base] }
`

/** `keys`: names of the API keys there are. */
export function configOf(text: string, keys?: readonly string[]): Config {
  const parsed = parseFile(text, { path: '/etc/tierline.yaml', generation: 7, keys })
  if (parsed.status === 'valid') return parsed.config
  throw new Error(parsed.problems.map((problem) => formatProblem('f', problem)).join('\n'))
}

export function problemsOf(text: string): readonly ConfigProblem[] {
  const parsed = parseFile(text, { path: '/etc/tierline.yaml', generation: 7 })
  if (parsed.status === 'invalid') return parsed.problems
  throw new Error('Expected problems: the file is good')
}

/** All that is wrong, each as `5:14: budgets.0.scope: …`. */
export function faultsOf(text: string): string[] {
  return problemsOf(text).map((problem) => formatProblem('', problem).slice(1))
}
