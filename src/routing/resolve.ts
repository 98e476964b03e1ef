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
import { canTake, roomTokens } from './context-fit.ts'
import { DIRECT_QUEUE } from './queue-of.ts'
import {
  type Because,
  modelTooSmall,
  noRoute,
  noRouteToModel,
  tierTooSmall,
  unknownModel,
  unknownTier,
  unknownType,
} from './route-errors.ts'
import { type FoundRule, findRule, whyMatched } from './rules.ts'
import type { RoutingTable, Tier } from './table.ts'
import { NO_FACTS, type TaskFacts } from './task-facts.ts'

/** All that may choose a route; a task input is one. */
export interface RouteRequest {
  readonly type?: string | undefined
  readonly tier?: string | undefined
  readonly model?: ModelID | undefined
}

type Decision = Pick<Route, 'tier' | 'model' | 'chain' | 'steps'>

/** What a decision is made by, beside the request. */
interface World {
  readonly table: RoutingTable
  readonly catalog: CatalogSnapshot
  readonly facts: TaskFacts
}

/** The name of the step that looks at one model of a tier. A route without it is pinned to its model. */
export const CANDIDATE = 'candidate'
/** The name of the step that tells of `rules`: of the one that matches, or of all that do not. */
export const RULE = 'rule'

/**
 * Task model before tier before the first rule that matches before type before default. All that is given must
 * exist, used or not.
 *
 * A tier gives its first model that the catalog lists and that can take the prompt, the others after it as the
 * chain. A pinned model has no chain; its tier, and so its queue, is the one given, else the first that lists it,
 * else `null`.
 *
 * @throws {TierlineError} `unknown_type`, `unknown_tier`, `unknown_model`, `no_route` when the table leads only
 *   to models that the catalog does not list, `prompt_too_long` when none of them can take the prompt.
 */
export function resolveRoute(
  request: RouteRequest,
  table: RoutingTable,
  catalog: CatalogSnapshot,
  facts: TaskFacts = NO_FACTS,
): Route {
  const { type, tier, model } = request
  if (type !== undefined && !table.routes.has(type)) throw unknownType(type, table)
  if (tier !== undefined && !table.tierByName.has(tier)) throw unknownTier(tier, table)
  const requested = {
    ...(type !== undefined && { type }),
    ...(tier !== undefined && { tier }),
    ...(model !== undefined && { model }),
  }
  return { generation: table.generation, requested, ...decide(request, { table, catalog, facts }) }
}

/**
 * The model of one message, which beats the task's for that message alone. `tokens` is the length of the message.
 *
 * @throws {TierlineError} `unknown_model` or `prompt_too_long`, naming `field`: `messages.1.model`.
 */
export function resolveMessageModel(
  model: ModelID,
  field: string,
  catalog: CatalogSnapshot,
  tokens = 0,
): ModelID {
  if (!modelsOf(catalog).has(model)) throw unknownModel(model, field, catalog)
  if (!canTake(model, tokens, catalog)) throw modelTooSmall(model, { field, given: model }, tokens, catalog)
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
  facts: TaskFacts = NO_FACTS,
): ModelID | undefined {
  if (request.model !== undefined) return request.model
  try {
    return catalog && resolveRoute(request, table, catalog, facts).model
  } catch {
    return undefined
  }
}

function decide(request: RouteRequest, world: World): Decision {
  const { type, tier, model } = request
  const { table, facts } = world
  const found = table.rules.length === 0 ? undefined : findRule(type, facts, table)
  if (model !== undefined) return pinByTask(request, model, found, world)
  if (tier !== undefined) {
    const steps = [step('tier', tier, `tier ${tier}`), ...overruled(type, found, 'tier')]
    return followTier(table.tierByName.get(tier)!, { field: 'tier', given: tier }, steps, world)
  }
  if (found !== undefined) return followRule(type, found, world)
  const steps = table.rules.length === 0 ? [] : [step(RULE, 'rules', `none of ${table.rules.length} matches`)]
  if (type !== undefined) return followType(type, steps, world)
  steps.push(step('default', table.default, `tier ${table.default}`))
  const fallback = table.tierByName.get(table.default)!
  return followTier(fallback, { field: 'tier', given: table.default }, steps, world)
}

function pinByTask(
  { type, tier }: RouteRequest,
  model: ModelID,
  found: FoundRule | undefined,
  world: World,
): Decision {
  const { table, catalog } = world
  if (!modelsOf(catalog).has(model)) throw unknownModel(model, 'model', catalog)
  const steps = [
    step('model', model, 'pinned, without a chain'),
    tier === undefined ? queueStep(model, table) : step('tier', tier, `queue ${tier}`),
    ...overruled(type, found, 'model'),
  ]
  return pin(model, tier, { field: 'model', given: model }, steps, world)
}

function followRule(type: string | undefined, { index, rule }: FoundRule, world: World): Decision {
  const { table, catalog, facts } = world
  const place = `rules.${index}`
  const why = whyMatched(rule, type, facts)
  const { tier, model } = rule
  if (model === null) {
    const steps = [step(RULE, place, `tier ${tier}: ${why}`)]
    return followTier(
      table.tierByName.get(tier!)!,
      { field: 'tier', given: tier!, rule: place },
      steps,
      world,
    )
  }
  const because = { field: 'model', given: model, rule: place }
  if (!modelsOf(catalog).has(model)) throw noRouteToModel(model, because, catalog)
  const steps = [step(RULE, place, `model ${model}: ${why}`), queueStep(model, table)]
  return pin(model, undefined, because, steps, world)
}

function followType(type: string, steps: RouteStep[], world: World): Decision {
  const { table, catalog } = world
  const { tier, model } = table.routes.get(type)!
  const because = { field: 'type', given: type }
  if (model === null) {
    steps.push(step('type', type, `tier ${tier}`))
    return followTier(table.tierByName.get(tier!)!, because, steps, world)
  }
  if (!modelsOf(catalog).has(model)) throw noRouteToModel(model, because, catalog)
  steps.push(step('type', type, `model ${model}`), queueStep(model, table))
  return pin(model, undefined, because, steps, world)
}

/** Its tier, and so its queue, is the one given, else the first that lists it. */
function pin(
  model: ModelID,
  tier: string | undefined,
  because: Because,
  steps: RouteStep[],
  { table, catalog, facts }: World,
): Decision {
  const tokens = facts.prompt.longestTokens
  if (!canTake(model, tokens, catalog)) throw modelTooSmall(model, because, tokens, catalog)
  return { tier: tier ?? table.firstTierOf.get(model) ?? null, model, chain: [], steps }
}

function followTier(tier: Tier, because: Because, steps: RouteStep[], world: World): Decision {
  const { table, catalog, facts } = world
  const offered = modelsOf(catalog)
  const usable: ModelID[] = []
  for (const candidate of tier.models) {
    const model = offered.get(candidate)
    if (model === undefined) {
      steps.push(step(CANDIDATE, candidate, 'skipped: not in the catalog'))
      continue
    }
    const room = roomTokens(model)
    if (room !== undefined && facts.prompt.longestTokens > room) {
      const wants = `about ${facts.prompt.longestTokens}`
      steps.push(step(CANDIDATE, candidate, `skipped: takes ${room} tokens, the prompt has ${wants}`))
      continue
    }
    steps.push(step(CANDIDATE, candidate, usable.length === 0 ? 'chosen' : 'next in the chain'))
    usable.push(candidate)
  }
  const [model, ...chain] = usable
  if (model !== undefined) return { tier: tier.name, model, chain, steps }
  if (tier.models.some((candidate) => offered.has(candidate)))
    throw tierTooSmall(tier, because, facts.prompt.longestTokens, table, catalog)
  throw noRoute(tier, because, table, catalog)
}

/** What is looked at though the task says itself where it goes: limits of its rule and its type hold. */
function overruled(
  type: string | undefined,
  found: FoundRule | undefined,
  by: 'tier' | 'model',
): RouteStep[] {
  const steps =
    found === undefined ? [] : [step(RULE, `rules.${found.index}`, `matches, overruled by the ${by}`)]
  if (type !== undefined) steps.push(step('type', type, `known, overruled by the ${by}`))
  return steps
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
