/** The demo's verdict, from what tierline says of its tasks and what the provider really saw. Pure. */

import { costMicroUsd } from '../../routing/cost.ts'
import type { Task } from '../../tasks/task.ts'
import type { ModelView } from '../../tasks/views.ts'
import { totalTokens } from '../format/count.ts'
import { DEMO_TASKS } from './demo-tasks.ts'
import type { DemoResult, DemoTotal } from './result-table.ts'

/** Requests of the provider's ledger by OpenCode session, oldest first. */
export type Seen = ReadonlyMap<string | null, readonly { model: string; kind: string }[]>

/** `tasks` in the order of `DEMO_TASKS`. */
export function demoReport(
  tasks: readonly Task[],
  seen: Seen,
  models: readonly ModelView[],
): { results: DemoResult[]; total: DemoTotal } {
  const results = tasks.map((task, index): DemoResult => {
    const { label, input, expected, expectedTier } = DEMO_TASKS[index]!
    const asked = (input.messages ?? [{}]).map((message) =>
      'model' in message ? String(message.model) : task.route.model,
    )
    // What OpenCode asks on its own, a title for example, would be seen here too.
    const modelsSeen = (seen.get(task.sessionID) ?? []).map(({ model }) => model)
    return {
      label,
      type: task.type,
      tier: task.tier,
      modelsAsked: asked,
      modelsSeen,
      tokens: totalTokens(task.usage),
      costMicroUsd: task.costMicroUsd,
      timeMs: (task.finishedAt ?? 0) - (task.startedAt ?? 0),
      ok:
        task.state === 'succeeded' &&
        task.tier === expectedTier &&
        same(asked, expected) &&
        same(modelsSeen, expected),
    }
  })
  const total = {
    tokens: sum(results, ({ tokens }) => tokens),
    costMicroUsd: sum(results, (result) => result.costMicroUsd),
  }
  return { results, total: { ...total, dearest: onTheDearest(tasks, models) } }
}

/** The same tokens, all of them on the model that would make the bill highest. */
function onTheDearest(tasks: readonly Task[], models: readonly ModelView[]): DemoTotal['dearest'] {
  const bills = models
    .filter(({ price }) => price !== null)
    .map(({ model, price }) => ({
      model,
      costMicroUsd: sum(tasks, ({ usage }) => costMicroUsd(price!, usage)),
    }))
  return bills.reduce((a, b) => (b.costMicroUsd > a.costMicroUsd ? b : a))
}

function same(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((model, index) => model === b[index])
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0)
}
