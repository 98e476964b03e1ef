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

/** Where the tasks of one type go: exactly one of `tier` and `model` is set. */
export interface RouteRule {
  readonly tier: string | null
  readonly model: ModelID | null
  /** Wall clock for tasks that name none; `null`: the table says nothing. */
  readonly timeoutMs: number | null
  readonly maxCostMicroUsd: number | null
  /** The other limits of such tasks; absent: the table says nothing. */
  readonly queueTimeoutMs?: number
  readonly maxSteps?: number
  readonly silenceMs?: number
  readonly retryWaitMs?: number
  readonly askTimeoutMs?: number
  readonly permissions?: Permissions
}

/** What a table is made of. */
export interface RoutingTableParts {
  /** Counts the versions that were in force; every task carries the one that decided. */
  readonly generation: number
  readonly source: { readonly kind: 'file' | 'derived'; readonly path: string | null }
  /** In file order. */
  readonly tiers: readonly Tier[]
  /** By task type. */
  readonly routes: ReadonlyMap<string, RouteRule>
  /** The tier of tasks that name neither model nor tier nor type. */
  readonly default: string
  /** Prices that beat the catalog's, by model (`acme/nano`) or provider (`acme`). */
  readonly prices: ReadonlyMap<string, Price>
  /** Sentences worth showing: parsed and not enforced yet, or probably not meant. */
  readonly warnings: readonly string[]
}

/** One version of the routing table. Never changes; a reload makes another. */
export interface RoutingTable extends RoutingTableParts {
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
  return Object.freeze({ ...parts, tierByName, firstTierOf })
}
