import { isBelow } from '../routing/rules.ts'
import type { RoutingRule } from '../routing/table.ts'
import { followed } from './real-directories.ts'

/**
 * Rules about directories in which no task may work, a sentence each; their directories are real paths. `roots`:
 * where tasks may work; `null`: anywhere.
 */
export async function unreachableRules(
  rules: readonly RoutingRule[],
  places: readonly string[],
  roots: readonly string[] | null,
): Promise<string[]> {
  if (roots === null) return []
  const allowed = await Promise.all(roots.map(followed))
  const isReachable = (path: string) => allowed.some((root) => isBelow(path, root) || isBelow(root, path))
  return rules.flatMap(({ when: { directories } }, index) =>
    directories === undefined || directories.some(isReachable)
      ? []
      : [
          `${places[index]}: can never match: tasks may work in none of its directories, only in ${roots.join(', ')}`,
        ],
  )
}
