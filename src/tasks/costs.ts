/** What was spent, as `GET /v1/costs` and `costs()` tell it. */
import { z } from 'zod'
import { Usage } from './usage.ts'

export const COST_GROUPS = ['model', 'tier', 'type', 'key', 'day'] as const
export type CostGroup = (typeof COST_GROUPS)[number]

const At = z.coerce.number().int().min(0).max(8_640_000_000_000_000)

/** Days are UTC, and count as a whole: that of `since`, and the last one that begins before `until`. */
export const CostsQuery = z.strictObject({
  /** Epoch milliseconds; absent: as far back as is kept. */
  since: At.optional(),
  /** Epoch milliseconds; absent: up to now. */
  until: At.optional(),
  groupBy: z.enum(COST_GROUPS).default('model'),
})
export type CostsQuery = z.output<typeof CostsQuery>

export const CostsTotal = z.object({
  /** That came to their end, each once: on that day, and under the model it ended with. */
  tasks: z.int().min(0),
  succeeded: z.int().min(0),
  usage: Usage,
  /** What was counted. */
  costMicroUsd: z.int().min(0),
  /** What nobody counts and a provider may bill, estimated: comes on top. */
  costEstimatedMicroUsd: z.int().min(0),
})
export type CostsTotal = z.infer<typeof CostsTotal>

export const CostsLine = z.object({
  /** `null`: tasks without one (no type, no tier, no API key). A day is `2026-11-23`. */
  group: z.string().nullable(),
  ...CostsTotal.shape,
})
export type CostsLine = z.infer<typeof CostsLine>

/** The dearest group first; days in their order. */
export const Costs = z.object({
  groupBy: z.enum(COST_GROUPS),
  data: z.array(CostsLine),
  total: CostsTotal,
})
export type Costs = z.infer<typeof Costs>
