/**
 * Picks the tier and the model of a task.
 *
 * Pure: no I/O, no clock, no randomness. The same arguments give the same route, so a route in the
 * event log can be explained later from the table it was made with.
 */
import type { CatalogSnapshot } from '../catalog/catalog.ts'
import type { ModelID } from '../tasks/model-id.ts'
import type { Route, RouteStep } from '../tasks/route.ts'
import { modelsOf } from './catalog-index.ts'
import { DIRECT_QUEUE } from './queue-of.ts'
import { noRoute, noRouteToModel, unknownModel, unknownTier, unknownType } from './route-errors.ts'
import type { RoutingTable, Tier } from './table.ts'

/** All that may choose a route; a task input is one. */
export interface RouteRequest {
  readonly type?: string | undefined
  readonly tier?: string | undefined
  readonly model?: ModelID | undefined
}

type Decision = Pick<Route, 'tier' | 'model' | 'chain' | 'steps'>

/** The name of the step that looks at one model of a tier. A route without it is pinned to its model. */
const CANDIDATE = 'candidate'

/**
 * Task model before tier before type before default. All that is given must exist, used or not.
 *
 * A tier gives its first model that the catalog lists, the others after it as the chain. A pinned model
 * has no chain; its tier, and so its queue, is the one given, else the first that lists it, else `null`.
 *
 * @throws {TierlineError} `unknown_type`, `unknown_tier`, `unknown_model`, or `no_route` when the table
 *   leads only to models that the catalog does not list.
 */
export function resolveRoute(request: RouteRequest, table: RoutingTable, catalog: CatalogSnapshot): Route {
  const { type, tier, model } = request
  if (type !== undefined && !table.routes.has(type)) throw unknownType(type, table)
  if (tier !== undefined && !table.tierByName.has(tier)) throw unknownTier(tier, table)
  const requested = {
    ...(type !== undefined && { type }),
    ...(tier !== undefined && { tier }),
    ...(model !== undefined && { model }),
  }
  return { generation: table.generation, requested, ...decide(request, table, catalog) }
}

/**
 * The model of one message, which beats the task's for that message alone.
 *
 * @throws {TierlineError} `unknown_model`, naming `field`: `messages.1.model`.
 */
export function resolveMessageModel(model: ModelID, field: string, catalog: CatalogSnapshot): ModelID {
  if (!modelsOf(catalog).has(model)) throw unknownModel(model, field, catalog)
  return model
}

/** True when the route has one model by decree and not by its tier. */
export function isPinned(route: Route): boolean {
  return !route.steps.some(({ step }) => step === CANDIDATE)
}

/** The model of a request by what is known; `undefined` when nothing is, or it leads nowhere. */
export function peekModel(
  request: RouteRequest,
  table: RoutingTable,
  catalog: CatalogSnapshot | undefined,
): ModelID | undefined {
  if (request.model !== undefined) return request.model
  try {
    return catalog && resolveRoute(request, table, catalog).model
  } catch {
    return undefined
  }
}

function decide(request: RouteRequest, table: RoutingTable, catalog: CatalogSnapshot): Decision {
  const { type, tier, model } = request
  if (model !== undefined) return pinByTask(request, model, table, catalog)
  if (tier !== undefined) {
    const steps = [step('tier', tier, `tier ${tier}`)]
    if (type !== undefined) steps.push(step('type', type, 'known, overruled by the tier'))
    return followTier(table.tierByName.get(tier)!, { field: 'tier', given: tier }, steps, table, catalog)
  }
  if (type !== undefined) return followRule(type, table, catalog)
  const steps = [step('default', table.default, `tier ${table.default}`)]
  const fallback = table.tierByName.get(table.default)!
  return followTier(fallback, { field: 'tier', given: table.default }, steps, table, catalog)
}

function pinByTask(
  { type, tier }: RouteRequest,
  model: ModelID,
  table: RoutingTable,
  catalog: CatalogSnapshot,
): Decision {
  if (!modelsOf(catalog).has(model)) throw unknownModel(model, 'model', catalog)
  const steps = [
    step('model', model, 'pinned, without a chain'),
    tier === undefined ? queueStep(model, table) : step('tier', tier, `queue ${tier}`),
  ]
  if (type !== undefined) steps.push(step('type', type, 'known, overruled by the model'))
  return { tier: tier ?? table.firstTierOf.get(model) ?? null, model, chain: [], steps }
}

function followRule(type: string, table: RoutingTable, catalog: CatalogSnapshot): Decision {
  const { tier, model } = table.routes.get(type)!
  if (model === null) {
    const steps = [step('type', type, `tier ${tier}`)]
    return followTier(table.tierByName.get(tier!)!, { field: 'type', given: type }, steps, table, catalog)
  }
  if (!modelsOf(catalog).has(model)) throw noRouteToModel(model, type, catalog)
  const steps = [step('type', type, `model ${model}`), queueStep(model, table)]
  return { tier: table.firstTierOf.get(model) ?? null, model, chain: [], steps }
}

function followTier(
  tier: Tier,
  because: { field: 'tier' | 'type'; given: string },
  steps: RouteStep[],
  table: RoutingTable,
  catalog: CatalogSnapshot,
): Decision {
  const offered = modelsOf(catalog)
  const [model, ...chain] = tier.models.filter((candidate) => offered.has(candidate))
  if (model === undefined) throw noRoute(tier, because, table, catalog)
  for (const candidate of tier.models) {
    const outcome = candidate === model ? 'chosen' : 'next in the chain'
    steps.push(step(CANDIDATE, candidate, offered.has(candidate) ? outcome : 'skipped: not in the catalog'))
  }
  return { tier: tier.name, model, chain, steps }
}

function queueStep(model: ModelID, table: RoutingTable): RouteStep {
  const tier = table.firstTierOf.get(model)
  return step(
    'queue',
    model,
    tier === undefined ? `${DIRECT_QUEUE}: no tier lists it` : `${tier}: it lists it`,
  )
}

function step(name: string, input: string, outcome: string): RouteStep {
  return { step: name, input, outcome }
}
