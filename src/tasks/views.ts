/** Bodies of the endpoints that speak of the system and not of one task. */
import { z } from 'zod'
import { Name } from './input.ts'
import { Problem } from './problem.ts'
import { Route } from './route.ts'

const Rates = z.object({
  inputMicroUsdPerMTok: z.int(),
  outputMicroUsdPerMTok: z.int(),
  cacheReadMicroUsdPerMTok: z.int(),
  cacheWriteMicroUsdPerMTok: z.int(),
})
const Price = Rates.extend({
  /** What longer prompts cost instead, lowest first; absent: the same. */
  bands: z.array(Rates.extend({ aboveContextTokens: z.int() })).optional(),
})

export const ModelView = z.object({
  model: z.string(),
  providerID: z.string(),
  modelID: z.string(),
  name: z.string(),
  /** Tiers that list this model. */
  tiers: z.array(z.string()),
  price: Price.nullable(),
  contextTokens: z.int(),
  outputTokens: z.int(),
  tools: z.boolean(),
  state: z.enum(['ok', 'cooling', 'unknown']),
  coolingUntil: z.int().nullable(),
})
export type ModelView = z.infer<typeof ModelView>
export const ModelList = z.object({ data: z.array(ModelView) })

export const TierView = z.object({
  tier: z.string(),
  models: z.array(z.string()),
  /** Of all workers together; `null`: no limit. */
  concurrency: z.int().nullable(),
  paused: z.boolean(),
})
export type TierView = z.infer<typeof TierView>

const Names = z.array(z.string()).optional()

/** One of `rules` in the file; its directories as real paths. */
export const RuleView = z.object({
  when: z.object({
    type: Names,
    promptTokens: z.object({ over: z.int().optional(), atMost: z.int().optional() }).optional(),
    directory: Names,
    key: Names,
  }),
  tier: z.string().nullable(),
  model: z.string().nullable(),
})
export type RuleView = z.infer<typeof RuleView>

/** Body of `GET /v1/routes`: the table in force. */
export const RoutesView = z.object({
  generation: z.int(),
  /** `file`, with its path, or `derived` from what the OpenCode server offers. */
  source: z.object({ kind: z.enum(['file', 'derived']), path: z.string().nullable() }),
  tiers: z.array(TierView),
  /** In their order: the first that matches decides. */
  rules: z.array(RuleView),
  /** Task type → tier or model. */
  routes: z.array(z.object({ type: z.string(), tier: z.string().nullable(), model: z.string().nullable() })),
  default: z.string(),
  /** What is probably not meant, in sentences. */
  warnings: z.array(z.string()),
})
export type RoutesView = z.infer<typeof RoutesView>

export const ExplainQuery = z.strictObject({
  key: Name.optional().meta({
    description: 'Name of the API key it would be submitted with. Default: the one of this request.',
  }),
})

export const Explanation = z.object({ route: Route.nullable(), problem: Problem.nullable() })
export type Explanation = z.infer<typeof Explanation>

const Check = z.object({ ok: z.boolean(), detail: z.string() })

/** Body of `GET /readyz`: 200 when every check but that of the file is ok, else 503. */
export const Readiness = z.object({
  checks: z.object({
    redis: Check,
    workers: Check,
    opencode: Check,
    config: z.object({ ok: z.boolean(), generation: z.int(), error: z.string().nullable() }),
  }),
})
export type Readiness = z.infer<typeof Readiness>

export const VersionView = z.object({ name: z.literal('tierline'), version: z.string(), node: z.string() })
export type VersionView = z.infer<typeof VersionView>
