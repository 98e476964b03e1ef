/** What numbers of the file may be. */
import { z } from 'zod'

export const SECOND = 1000
export const MINUTE = 60 * SECOND
export const HOUR = 60 * MINUTE
export const DAY = 24 * HOUR

export const Count = z.int().min(1).max(1_000_000)
export const Tokens = z.int().min(0).max(1_000_000_000)

const LEAST_USD = 0.000001
/** What is less than a micro-USD would be nothing, which means something else. */
export const Usd = z
  .number()
  .min(0)
  .max(1_000_000)
  .refine((usd) => usd <= 0 || usd >= LEAST_USD, `must be 0 or at least ${LEAST_USD}`)
/** A limit of nothing would be a task that cannot run. */
export const CostUsd = z.number().min(LEAST_USD).max(1_000_000)

export const TimeoutMs = z.int().min(SECOND).max(DAY)
export const RetryWaitMs = z.int().min(0).max(DAY)
export const QueueTimeoutMs = z
  .int()
  .min(SECOND)
  .max(365 * DAY)
export const Steps = z.int().min(1).max(10_000)
