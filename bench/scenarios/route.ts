/** One routing decision of a table with 200 rules. */
import type { CatalogSnapshot } from '../../src/catalog/catalog.ts'
import { resolveRoute } from '../../src/routing/resolve.ts'
import { createRoutingTable, type RouteRule } from '../../src/routing/table.ts'
import type { ModelID } from '../../src/tasks/model-id.ts'
import { interleave } from '../interleave.ts'
import { BENCH_CATALOG } from '../noop-backend.ts'
import type { Scenario } from '../scenario.ts'
import { ofRounds } from '../statistics.ts'

const RULES = 200
const TIERS = 20
const DECISIONS = 200_000

export const route: Scenario = {
  name: 'route',
  async run({ rounds }) {
    const { table, catalog } = manyRules()
    const decide = async () => {
      const startedAt = performance.now()
      for (let index = 0; index < DECISIONS; index += 1)
        resolveRoute({ type: `type${index % RULES}` }, table, catalog)
      return ((performance.now() - startedAt) * 1000) / DECISIONS
    }
    const { one } = await interleave({ one: decide }, rounds)
    return [
      {
        measure: 'route decision',
        ...ofRounds(one),
        unit: 'µs',
        detail: `${RULES} rules, ${TIERS} tiers of two models, ${catalog.models.length} models offered`,
      },
    ]
  },
}

function manyRules() {
  const models = Array.from({ length: RULES }, (_, index): ModelID => `acme/model${index}`)
  const [like] = BENCH_CATALOG.models
  const catalog: CatalogSnapshot = {
    ...BENCH_CATALOG,
    models: models.map((model) => ({ ...like!, model })),
  }
  const tiers = Array.from({ length: TIERS }, (_, index) => ({
    name: `tier${index}`,
    models: models.slice(2 * index, 2 * index + 2),
    concurrency: null,
  }))
  // Three of four types go to a tier, one to a model.
  const rules = models.map((model, index): [string, RouteRule] => {
    const isPinned = index % 4 === 3
    const target = isPinned ? { tier: null, model } : { tier: `tier${index % TIERS}`, model: null }
    return [`type${index}`, { ...target, timeoutMs: null, maxCostMicroUsd: null }]
  })
  const table = createRoutingTable({
    generation: 1,
    source: { kind: 'file', path: null },
    tiers,
    routes: new Map(rules),
    default: 'tier0',
    prices: new Map(),
    warnings: [],
  })
  return { table, catalog }
}
