/** A budget as the world sees it. Money is in whole micro-USD. */
import { z } from 'zod'

const MicroUsd = z.int().min(0)
const EpochMs = z.int().min(0)

const scope = z.string().meta({ description: 'global, type:…, tier:…, provider:…, model:… or key:…' })
const per = z.enum(['hour', 'day', 'month', 'once'])

/** Part of the problem and of the failure `budget_exceeded`. */
export const BudgetFigures = z.object({
  scope,
  per,
  limitMicroUsd: MicroUsd,
  spentMicroUsd: MicroUsd,
  reservedMicroUsd: MicroUsd,
  resetAt: EpochMs.nullable(),
})

export const BudgetView = z.object({
  scope,
  per,
  timeZone: z.string(),
  onExceed: z.enum(['reject', 'queue', 'downgrade']),
  limitMicroUsd: MicroUsd,
  /** In this window. */
  spentMicroUsd: MicroUsd,
  /** Held by tasks that run, for what they may still spend. */
  reservedMicroUsd: MicroUsd,
  /** `null` where there is one window for all time. */
  windowStartAt: EpochMs.nullable(),
  resetAt: EpochMs.nullable(),
})
export type BudgetView = z.infer<typeof BudgetView>

export const BudgetList = z.object({ data: z.array(BudgetView) })
