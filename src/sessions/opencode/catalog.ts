/** What OpenCode offers, as a catalog. Pure. */
import type { CatalogModel, CatalogSnapshot, Price, PriceBand, Rates } from '../../catalog/catalog.ts'
import type { ModelID } from '../../tasks/model-id.ts'
import type { Agents, Config, Providers, WireModel, WireRates } from './wire.ts'

/** Where OpenCode knows of one band only. */
const LONG_CONTEXT_TOKENS = 200_000

/** Prices are integers here; OpenCode has USD per million tokens, and 0 for a price it does not know. */
export function catalogOf(
  { providers, default: defaults }: Providers,
  agents: Agents,
  config: Config,
  freeProviders: readonly string[],
): CatalogSnapshot {
  const models = providers.flatMap(({ id, models }) =>
    Object.values(models).map((model) => modelOf(id, model, freeProviders.includes(id))),
  )
  const shown = agents.filter(({ hidden }) => !hidden)
  const namesOf = (isSubagent: boolean): string[] =>
    shown.filter(({ mode }) => (mode === 'subagent') === isSubagent).map(({ name }) => name)
  return {
    models,
    defaultModel: defaultOf(config, providers, defaults),
    agents: namesOf(false),
    subagents: namesOf(true),
  }
}

function modelOf(providerID: string, model: WireModel, isFree: boolean): CatalogModel {
  return {
    model: `${providerID}/${model.id}`,
    providerID,
    modelID: model.id,
    name: model.name ?? model.id,
    price: priceOf(model.cost, isFree),
    contextTokens: model.limit.context,
    outputTokens: model.limit.output,
    tools: model.capabilities?.toolcall ?? false,
    active: model.status === 'active',
  }
}

function priceOf(cost: WireModel['cost'], isFree: boolean): Price | null {
  const { input = 0, output = 0, cache = { read: 0, write: 0 } } = cost ?? {}
  if (input === 0 && output === 0 && !isFree) return null
  const bands = bandsOf(cost)
  return { ...ratesOf({ input, output, cache }), ...(bands.length > 0 && { bands }) }
}

/** As OpenCode bills: the band with the highest threshold that the prompt exceeds. */
function bandsOf(cost: WireModel['cost']): PriceBand[] {
  const tiers = cost?.tiers?.filter(({ tier }) => tier.type === 'context')
  if (tiers?.length)
    return tiers
      .map((rates) => ({ aboveContextTokens: rates.tier.size, ...ratesOf(rates) }))
      .sort((a, b) => a.aboveContextTokens - b.aboveContextTokens)
  const long = cost?.experimentalOver200K
  return long ? [{ aboveContextTokens: LONG_CONTEXT_TOKENS, ...ratesOf(long) }] : []
}

function ratesOf({ input, output, cache }: WireRates): Rates {
  return {
    inputMicroUsdPerMTok: microUsd(input),
    outputMicroUsdPerMTok: microUsd(output),
    cacheReadMicroUsdPerMTok: microUsd(cache.read),
    cacheWriteMicroUsdPerMTok: microUsd(cache.write),
  }
}

function microUsd(usd: number): number {
  return Math.round(usd * 1_000_000)
}

/** Else the server names one default per provider, and takes the first provider's. */
function defaultOf(
  config: Config,
  providers: Providers['providers'],
  defaults: Record<string, string>,
): ModelID | null {
  if (config.model?.includes('/')) return config.model as ModelID
  const provider = providers.find(({ id }) => defaults[id] !== undefined)
  return provider ? `${provider.id}/${defaults[provider.id]}` : null
}
