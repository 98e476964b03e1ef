/** Why a route is refused: each names the field, what was given, and the nearest that would do. */
import type { CatalogSnapshot } from '../catalog/catalog.ts'
import { TierlineError } from '../errors.ts'
import type { ModelID } from '../tasks/model-id.ts'
import { nearestHint, nearestNames } from '../tasks/nearest.ts'
import { modelsOf } from './catalog-index.ts'
import { canTake, roomTokens } from './context-fit.ts'
import type { RoutingTable, Tier } from './table.ts'

export function unknownType(type: string, table: RoutingTable): TierlineError {
  const allowed = nearestNames(type, table.routes.keys())
  return new TierlineError(
    'unknown_type',
    `Cannot route the task type "${type}": the routing table has no such route${nearestHint(allowed)}`,
    { errors: [{ field: 'type', message: 'is not in the routing table', given: type, allowed }] },
  )
}

export function unknownTier(name: string, table: RoutingTable): TierlineError {
  const allowed = nearestNames(name, table.tierByName.keys())
  return new TierlineError(
    'unknown_tier',
    `Cannot route to the tier "${name}": the routing table has no such tier${nearestHint(allowed)}`,
    { errors: [{ field: 'tier', message: 'is not in the routing table', given: name, allowed }] },
  )
}

/** `field` is a dotted path: `model`, `messages.1.model`. */
export function unknownModel(model: ModelID, field: string, catalog: CatalogSnapshot): TierlineError {
  const allowed = nearestNames(model, modelsOf(catalog).keys())
  return new TierlineError(
    'unknown_model',
    `Cannot use the model "${model}": the OpenCode server does not offer it${nearestHint(allowed)}`,
    { errors: [{ field, message: 'is not in the catalog', given: model, allowed }] },
  )
}

/** What of a task leads to where it cannot go. */
export interface Because {
  readonly field: string
  readonly given: string
  /** The rule that leads there. */
  readonly rule?: string
}

/** The table pins a type, or what a rule matches, to a model that is not offered. */
export function noRouteToModel(
  model: ModelID,
  { rule, ...because }: Because,
  catalog: CatalogSnapshot,
): TierlineError {
  const what = rule === undefined ? `the task type "${because.given}"` : `by ${rule}`
  const hint = nearestHint(nearestNames(model, modelsOf(catalog).keys()))
  return new TierlineError(
    'no_route',
    `Cannot route ${what}: the OpenCode server does not offer its model "${model}"${hint}`,
    { errors: [{ ...because, message: `leads to "${model}", which is not in the catalog` }] },
  )
}

/** The tier has no model that is offered. */
export function noRoute(
  tier: Tier,
  { rule, ...because }: Because,
  table: RoutingTable,
  catalog: CatalogSnapshot,
): TierlineError {
  const offered = modelsOf(catalog)
  const reason =
    offered.size === 0
      ? 'the OpenCode server offers no model at all; connect a provider with "opencode auth login"'
      : `the OpenCode server offers none of its models (${tier.models.join(', ') || 'it has none'})`
  const usable = table.tiers.filter(({ models }) => models.some((model) => offered.has(model)))
  const allowed = because.field === 'tier' ? { allowed: usable.map(({ name }) => name) } : {}
  return new TierlineError('no_route', `Cannot route ${toTier(tier, rule)}: ${reason}`, {
    errors: [{ ...because, message: 'leads to no model that is offered', ...allowed }],
  })
}

/** None of the models of the tier that are offered can take the longest message. */
export function tierTooSmall(
  tier: Tier,
  { rule, ...because }: Because,
  tokens: number,
  table: RoutingTable,
  catalog: CatalogSnapshot,
): TierlineError {
  const rooms = tier.models.flatMap((model) => roomsOf(model, catalog))
  const able = table.tiers.filter(({ models }) =>
    models.some((model) => modelsOf(catalog).has(model) && canTake(model, tokens, catalog)),
  )
  const allowed = because.field === 'tier' ? { allowed: able.map(({ name }) => name) } : {}
  return promptTooLong(toTier(tier, rule), rooms, tokens, { ...because, ...allowed })
}

/** `because.field` is a dotted path: `model`, `messages.1.model`. */
export function modelTooSmall(
  model: ModelID,
  { rule, ...because }: Because,
  tokens: number,
  catalog: CatalogSnapshot,
): TierlineError {
  return promptTooLong(`${byRule(rule)}to the model "${model}"`, roomsOf(model, catalog), tokens, because)
}

function promptTooLong(
  where: string,
  rooms: readonly string[],
  tokens: number,
  field: Because,
): TierlineError {
  return new TierlineError(
    'prompt_too_long',
    `Cannot route ${where}: the longest message has about ${tokens} tokens; ${rooms.join(', ')}`,
    { errors: [{ ...field, message: `leads to no model that takes about ${tokens} tokens` }] },
  )
}

function roomsOf(model: ModelID, catalog: CatalogSnapshot): string[] {
  const offered = modelsOf(catalog).get(model)
  const room = offered && roomTokens(offered)
  return room === undefined ? [] : [`${model} takes ${room}`]
}

function toTier({ name }: Tier, rule: string | undefined): string {
  return `${byRule(rule)}to the tier "${name}"`
}

function byRule(rule: string | undefined): string {
  return rule === undefined ? '' : `by ${rule} `
}
