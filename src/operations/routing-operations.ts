import { tableWarnings } from '../budget/table-warnings.ts'
import type { CatalogCache } from '../catalog/catalog-cache.ts'
import { TierlineError } from '../errors.ts'
import { EXTRA_QUEUES, type TaskQueues } from '../queues/task-queues.ts'
import { withEveryRule } from '../routing/explain.ts'
import type { RoutingTable } from '../routing/table.ts'
import { factsOf } from '../routing/task-facts.ts'
import { nearestNames } from '../tasks/nearest.ts'
import { problemOf } from '../tasks/problem.ts'
import type { Explanation, ModelView, RoutesView, TierView } from '../tasks/views.ts'
import type { Admit } from './admit.ts'
import { viewModels, viewRoutes } from './views.ts'

export interface RoutingOperationsDeps {
  config: { table(): RoutingTable }
  catalog: CatalogCache
  queues: TaskQueues
  /** Queues of tiers that the table no longer has. */
  former(tiers: readonly string[]): Promise<{ name: string; tasks: number }[]>
  admit: Admit['admit']
  /** Models that are kept back now, and until when. */
  cooling(): Promise<ReadonlyMap<string, number>>
}

/** Reading the table, asking it, and stopping a tier. */
export function createRoutingOperations({
  config,
  catalog,
  queues,
  former,
  admit,
  cooling,
}: RoutingOperationsDeps) {
  async function routes(): Promise<RoutesView> {
    const table = config.table()
    const names = table.tiers.map(({ name }) => name)
    const flags = await Promise.all(names.map((name) => queues.isPaused(name)))
    const paused = new Set(names.filter((_, index) => flags[index]))
    const snapshot = catalog.peek()
    const left = await former(names)
    const warnings = [
      ...table.warnings,
      ...(snapshot ? tableWarnings(table, snapshot) : []),
      ...left.map(({ name, tasks }) => `The tier "${name}" was removed; its ${tasks} tasks are still run`),
    ]
    return viewRoutes(table, paused, warnings)
  }

  /**
   * The route an input would get now, with every rule, or the problem that would refuse it. Nothing is queued.
   * `key`: name of the API key it would be submitted with.
   */
  async function explain(input: unknown, key: string | null = null): Promise<Explanation> {
    try {
      const admitted = await admit(input, key)
      return {
        route: withEveryRule(admitted.route, config.table(), factsOf(admitted.input, admitted)),
        problem: null,
      }
    } catch (error) {
      if (!(error instanceof TierlineError)) throw error
      return { route: null, problem: problemOf(error) }
    }
  }

  async function models(): Promise<ModelView[]> {
    const [snapshot, kept] = await Promise.all([catalog.get(), cooling()])
    return viewModels(snapshot, config.table(), kept)
  }

  /** Workers take nothing more of this tier; what runs goes on. */
  async function pauseTier(tier: string): Promise<TierView> {
    await assertTier(tier)
    await queues.pause(tier)
    return view(tier, true)
  }

  async function resumeTier(tier: string): Promise<TierView> {
    await assertTier(tier)
    await queues.resume(tier)
    return view(tier, false)
  }

  async function assertTier(tier: string): Promise<void> {
    const tiers = config.table().tiers.map(({ name }) => name)
    const names = [...tiers, ...EXTRA_QUEUES]
    if (names.includes(tier) || (await former(tiers)).some(({ name }) => name === tier)) return
    throw new TierlineError(
      'tier_not_found',
      `Cannot find the tier "${tier}": there are ${names.join(', ')}`,
      {
        errors: [
          {
            field: 'tier',
            message: 'is no tier of the routing table',
            given: tier,
            allowed: nearestNames(tier, names),
          },
        ],
      },
    )
  }

  function view(name: string, paused: boolean): TierView {
    const tier = config.table().tierByName.get(name)
    return { tier: name, models: [...(tier?.models ?? [])], concurrency: tier?.concurrency ?? null, paused }
  }

  return { routes, explain, models, pauseTier, resumeTier }
}
