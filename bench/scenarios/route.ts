/** Routing decisions of a table with 200 rules and 200 types: by its type, and by the last of its rules. */
import type { CatalogSnapshot } from '../../src/catalog/catalog.ts'
import { withEveryRule } from '../../src/routing/explain.ts'
import { resolveRoute } from '../../src/routing/resolve.ts'
import { createRoutingTable, type RouteRule, type RoutingRule } from '../../src/routing/table.ts'
import { factsOf } from '../../src/routing/task-facts.ts'
import type { ModelID } from '../../src/tasks/model-id.ts'
import { interleave } from '../interleave.ts'
import { BENCH_CATALOG } from '../noop-backend.ts'
import type { Finding, Scenario } from '../scenario.ts'
import { ofRounds } from '../statistics.ts'

const RULES = 200
const TIERS = 20
const DECISIONS = 100_000
const MOST_MICROSECONDS = 100
const PROMPT = 'Find what nobody uses in src/, and say why. '.repeat(100)

export const route: Scenario = {
  name: 'route',
  async run({ rounds }) {
    const { catalog, ...parts } = manyRules()
    const bare = createRoutingTable(parts)
    const ruled = createRoutingTable({ ...parts, rules: rules() })
    const type = (index: number) => ({ type: `type${index % RULES}` })
    // As of one task each: its prompt is measured too.
    const facts = (key: string | null) => factsOf({ prompt: PROMPT }, { directory: '/work/late/src', key })
    const { byType, byRule, explained } = await interleave(
      {
        byType: timed((index) => resolveRoute(type(index), bare, catalog, facts(null))),
        byRule: timed(() => resolveRoute({}, ruled, catalog, facts('last'))),
        explained: timed(() => {
          const asked = facts('last')
          withEveryRule(resolveRoute({}, ruled, catalog, asked), ruled, asked)
        }),
      },
      rounds,
    )
    const finding = (measure: string, values: readonly number[], detail: string): Finding => ({
      ...{ measure, ...ofRounds(values), unit: 'µs', detail },
    })
    const target = { atMost: MOST_MICROSECONDS }
    const offer = `${TIERS} tiers of two models, ${catalog.models.length} models offered`
    return [
      {
        ...finding(
          'route decision',
          byType,
          `no rules, by one of ${RULES} types; ${offer}; a prompt of 4 KB`,
        ),
        target,
      },
      {
        ...finding(
          'route decision, rules',
          byRule,
          `by the last of ${RULES} rules, which look at all there is`,
        ),
        target,
      },
      finding('explain, rules', explained, `the same with a reason for each of ${RULES} rules`),
    ]
  },
}

function timed(decide: (index: number) => unknown) {
  return async () => {
    const startedAt = performance.now()
    for (let index = 0; index < DECISIONS; index += 1) decide(index)
    return ((performance.now() - startedAt) * 1000) / DECISIONS
  }
}

/** Each fails at another condition, and most not at the first. */
function rules(): RoutingRule[] {
  return Array.from({ length: RULES }, (_, index) => ({
    when:
      index === RULES - 1
        ? { keys: ['last'], directories: ['/work/late'], promptTokens: { over: 1_000 } }
        : [
            { keys: ['last', `key${index}`], directories: [`/work/late/src/part${index}`] },
            { directories: ['/work/late'], promptTokens: { over: 60_000 + index } },
            { types: [`type${index}`] },
            { promptTokens: { atMost: index } },
          ][index % 4]!,
    ...{ tier: `tier${index % TIERS}`, model: null, timeoutMs: null, maxCostMicroUsd: null },
  }))
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
  const routes = models.map((model, index): [string, RouteRule] => {
    const isPinned = index % 4 === 3
    const target = isPinned ? { tier: null, model } : { tier: `tier${index % TIERS}`, model: null }
    return [`type${index}`, { ...target, timeoutMs: null, maxCostMicroUsd: null }]
  })
  return {
    catalog,
    generation: 1,
    source: { kind: 'file' as const, path: null },
    tiers,
    routes: new Map(routes),
    default: 'tier0',
    prices: new Map(),
    warnings: [],
  }
}
