import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Start processes of their own and take the longest: begun last, one of them would keep the others waiting. */
const LONG = /\/test\/(e2e|package|examples|cli|redis|services)\//

/** Vitest knows how long a file takes only from the run before, and a fresh clone has none. */
export class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => (LONG.test(moduleId) ? 0 : 1)
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b))
  }
}
