/** What a budget is about. Pure. */
import { type ModelID, splitModelID } from '../tasks/model-id.ts'
import type { RouteRule, RoutingTable, Tier } from './table.ts'

/** All of a task that a budget may be about. `model`: the one that is about to be asked. */
export interface Spender {
  readonly type: string | null
  readonly tier: string | null
  readonly model: ModelID
  /** Name of the API key. */
  readonly key: string | null
}

/** `type:lint` → `{ kind: 'type', name: 'lint' }`; the name of `global` is empty. */
export function partsOfScope(scope: string): { kind: string; name: string } {
  const end = scope.indexOf(':')
  return end === -1 ? { kind: scope, name: '' } : { kind: scope.slice(0, end), name: scope.slice(end + 1) }
}

export function isInScope(scope: string, { type, tier, model, key }: Spender): boolean {
  const { kind, name } = partsOfScope(scope)
  switch (kind) {
    case 'global':
      return true
    case 'type':
      return name === type
    case 'tier':
      return name === tier
    case 'provider':
      return name === splitModelID(model).providerID
    case 'model':
      return name === model
    case 'key':
      return name === key
    default:
      return false
  }
}

type Targets = Pick<RoutingTable, 'tiers' | 'tierByName' | 'routes' | 'rules'>

/** The tiers in which tasks of this scope are, if they do not name another one themselves. */
export function tiersOfScope(scope: string, table: Targets): readonly Tier[] {
  const { kind, name } = partsOfScope(scope)
  if (kind === 'tier') return table.tiers.filter((tier) => tier.name === name)
  if (kind !== 'type') return table.tiers
  const names = new Set(targetsOfType(name, table).map(({ tier }) => tier))
  return table.tiers.filter((tier) => names.has(tier.name))
}

/** The models that the table leads tasks of this scope to, each once. */
export function modelsOfScope(scope: string, table: Targets): readonly ModelID[] {
  const { kind, name } = partsOfScope(scope)
  if (kind === 'model') return [name as ModelID]
  const pinning = kind === 'type' ? targetsOfType(name, table) : [...table.routes.values(), ...table.rules]
  const models = new Set([
    ...tiersOfScope(scope, table).flatMap((tier) => tier.models),
    ...(kind === 'tier' ? [] : pinning.flatMap(({ model }) => (model === null ? [] : [model]))),
  ])
  return kind === 'provider'
    ? [...models].filter((model) => splitModelID(model).providerID === name)
    : [...models]
}

function targetsOfType(type: string, { routes, rules }: Targets): readonly RouteRule[] {
  const route = routes.get(type)
  const mayMatch = rules.filter(({ when: { types } }) => types === undefined || types.includes(type))
  return route === undefined ? mayMatch : [...mayMatch, route]
}
