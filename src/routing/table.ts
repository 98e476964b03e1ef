import type { Price } from '../catalog/catalog.ts'
import type { ModelID } from '../tasks/model-id.ts'
import type { Permissions } from '../tasks/permissions.ts'

/** A named class of models, most wanted first. */
export interface Tier {
  readonly name: string
  /** What is tried, in this order. Empty only in a derived table, when the server offers no model. */
  readonly models: readonly ModelID[]
  /** Tasks at a time, of all workers together; `null`: no limit. */
  readonly concurrency: number | null
}

/** What the table says of tasks beside their tier and model. */
export interface RouteLimits {
  /** Wall clock for tasks that name none; `null`: the table says nothing. */
  readonly timeoutMs: number | null
  readonly maxCostMicroUsd: number | null
  /** The other limits of such tasks; absent: the table says nothing. */
  readonly queueTimeoutMs?: number
  readonly maxSteps?: number
  readonly silenceMs?: number
  readonly retryWaitMs?: number
  readonly askTimeoutMs?: number
}

/** Where the tasks of one type go: exactly one of `tier` and `model` is set. */
export interface RouteRule extends RouteLimits {
  readonly tier: string | null
  readonly model: ModelID | null
  readonly permissions?: Permissions
}

/** All that are given must hold; of a list, one element. */
export interface RuleConditions {
  readonly types?: readonly string[] | undefined
  /** Names of API keys. */
  readonly keys?: readonly string[] | undefined
  /** Real paths: each stands for itself and all below it. */
  readonly directories?: readonly string[] | undefined
  /** Of all messages together, estimated; `over` is exclusive. */
  readonly promptTokens?:
    | { readonly over?: number | undefined; readonly atMost?: number | undefined }
    | undefined
}

/** Where tasks go that fit its conditions, before their type is asked. */
export interface RoutingRule extends RouteRule {
  readonly when: RuleConditions
}

/** What may be used at once, or begun in any sixty seconds; `null`: as much as comes. */
export interface Caps {
  readonly concurrency: number | null
  /** Steps of a model: each is a request to its provider. */
  readonly requestsPerMinute: number | null
  readonly tokensPerMinute: number | null
}

/** What may be spent on the tasks of one scope in one window of time. */
export interface Budget {
  /** `global`, `type:lint`, `tier:fast`, `provider:acme`, `model:acme/nano`, `key:ci`. */
  readonly scope: string
  readonly per: 'hour' | 'day' | 'month' | 'once'
  readonly limitMicroUsd: number
  /** Where hours, days and months begin. */
  readonly timeZone: string
  readonly onExceed: 'reject' | 'queue' | 'downgrade'
  /** Of the limit; `null`: when it is spent. */
  readonly downgradeAtPercent: number | null
  /** What becomes of a task whose model nobody knows a price of: it is refused, or runs and does not count. */
  readonly onUnknownPrice: 'reject' | 'allow'
  /** Where it stands in the file: `tierline.yaml:12:5: budgets.0`. */
  readonly place: string
}

/** What a table is made of. */
export interface RoutingTableParts {
  /** Counts the versions that were in force; every task carries the one that decided. */
  readonly generation: number
  readonly source: { readonly kind: 'file' | 'derived'; readonly path: string | null }
  /** In file order. */
  readonly tiers: readonly Tier[]
  /** The first that matches decides; absent: there are none. */
  readonly rules?: readonly RoutingRule[]
  /** By task type. */
  readonly routes: ReadonlyMap<string, RouteRule>
  /** The tier of tasks that name neither model nor tier nor type. */
  readonly default: string
  /** Prices that beat the catalog's, by model (`acme/nano`) or provider (`acme`). */
  readonly prices: ReadonlyMap<string, Price>
  /**
   * By `model:acme/nano`, `provider:acme`, `key:ci`, and `key:*` for each API key that has none of its own. Absent:
   * there are none.
   */
  readonly caps?: ReadonlyMap<string, Caps>
  /** Absent: none. No two have the same scope and window. */
  readonly budgets?: readonly Budget[]
  /** Sentences worth showing: what is probably not meant. */
  readonly warnings: readonly string[]
}

/** One version of the routing table. Never changes; a reload makes another. */
export interface RoutingTable extends RoutingTableParts {
  readonly rules: readonly RoutingRule[]
  /** Of each rule, all of one shape: what an engine reads fast. */
  readonly conditions: readonly Required<RuleConditions>[]
  readonly budgets: readonly Budget[]
  readonly tierByName: ReadonlyMap<string, Tier>
  /** Model → the first tier, in file order, that lists it. */
  readonly firstTierOf: ReadonlyMap<ModelID, string>
}

/** Adds the indexes, so that a route is found without walking the table. */
export function createRoutingTable(parts: RoutingTableParts): RoutingTable {
  const firstTierOf = new Map<ModelID, string>()
  for (const { name, models } of parts.tiers)
    for (const model of models) if (!firstTierOf.has(model)) firstTierOf.set(model, name)
  const tierByName = new Map(parts.tiers.map((tier) => [tier.name, tier]))
  const { rules = [] } = parts
  const conditions = rules.map(
    ({ when: { types, keys, directories, promptTokens } }): Required<RuleConditions> => ({
      types,
      keys,
      directories,
      promptTokens,
    }),
  )
  return Object.freeze({ ...parts, rules, conditions, budgets: parts.budgets ?? [], tierByName, firstTierOf })
}
