/** What models and agents exist, and what the models cost. Plain data: who fetches it is another file. */
import type { ModelID } from '../tasks/model-id.ts'

/** Integers, micro-USD (1 USD = 1,000,000) per million tokens. */
export interface Rates {
  inputMicroUsdPerMTok: number
  outputMicroUsdPerMTok: number
  cacheReadMicroUsdPerMTok: number
  cacheWriteMicroUsdPerMTok: number
}

/** What a model costs. */
export interface Price extends Rates {
  /** Other rates for long prompts, lowest first; absent: there are none. */
  bands?: readonly PriceBand[] | undefined
}

/** Holds for the whole of a request whose prompt has more tokens than that, cached ones counted. */
export interface PriceBand extends Rates {
  aboveContextTokens: number
}

export interface CatalogModel {
  model: ModelID
  providerID: string
  modelID: string
  name: string
  /** `null`: not known. OpenCode says 0 for unknown, so a price of 0 counts as unknown there. */
  price: Price | null
  /** 0: not known. */
  contextTokens: number
  /** 0: not known. */
  outputTokens: number
  tools: boolean
  /** OpenCode's `status`: deprecated and alpha models are listed, but enter no derived tier. */
  active: boolean
}

/** One look at one server's offer in one directory. */
export interface CatalogSnapshot {
  models: readonly CatalogModel[]
  /** The model the server would take by itself; `null` when it names none. */
  defaultModel: ModelID | null
  /** Names a message may be sent to; those of mode `subagent` are not in it. */
  agents: readonly string[]
  /** Names that a message may mention, for its agent to call them. */
  subagents: readonly string[]
}
