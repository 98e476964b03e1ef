/** Where tasks go: tiers, rules and routes. */
import { z } from 'zod'
import { Name } from '../tasks/input.ts'
import type { ModelID } from '../tasks/model-id.ts'
import { Permissions } from '../tasks/permissions.ts'
import { CostUsd, Count, QueueTimeoutMs, RetryWaitMs, Steps, TimeoutMs, Tokens } from './schema-ranges.ts'

const Model = z
  .string()
  .max(512)
  .regex(/^[^\s/]+\/\S+$/, 'must be "provider/model"')
  .transform((text) => text as ModelID)

export const Tier = z.strictObject({
  models: z.array(Model).min(1, 'must name at least one model').meta({
    description: 'Models of the tier, most wanted first: the ones after the first are its fallback chain.',
  }),
  concurrency: Count.optional().meta({
    description: 'Tasks of this tier at a time, of all workers together. Absent: no limit.',
  }),
})

/** Where tasks go, and what limits them there. */
const target = {
  tier: Name.optional().meta({ description: 'The tier these tasks go to.' }),
  model: Model.optional().meta({ description: 'The model these tasks are pinned to, without a chain.' }),
  timeoutMs: TimeoutMs.optional().meta({
    description: 'Wall clock of these tasks from their first start, where the task names none.',
  }),
  queueTimeoutMs: QueueTimeoutMs.optional().meta({ description: 'Instead of `tasks.queueTimeoutMs`.' }),
  maxSteps: Steps.optional().meta({ description: 'Instead of `tasks.maxSteps`.' }),
  silenceMs: TimeoutMs.optional().meta({ description: 'Instead of `tasks.silenceMs`.' }),
  retryWaitMs: RetryWaitMs.optional().meta({ description: 'Instead of `tasks.retryWaitMs`.' }),
  askTimeoutMs: TimeoutMs.optional().meta({ description: 'Instead of `tasks.askTimeoutMs`.' }),
  permissions: Permissions.optional().meta({
    description: 'After `tasks.permissions`: the last rule that fits decides.',
  }),
  maxCostUsd: CostUsd.optional().meta({
    description: 'Most that one such task may cost, where it names nothing itself: `budget_exceeded`.',
  }),
}

const hasOneTarget = ({ tier, model }: { tier?: unknown; model?: unknown }): boolean =>
  (tier === undefined) !== (model === undefined)
const ONE_TARGET = { error: 'needs either "tier" or "model"' }

export const Route = z.strictObject(target).refine(hasOneTarget, ONE_TARGET)

const oneOrMore = <Schema extends z.ZodType<string>>(name: Schema) =>
  z.union([name, z.array(name).min(1, 'must name at least one').max(100)])

const Conditions = z
  .strictObject({
    type: oneOrMore(Name).optional().meta({ description: 'Task type, or several of them.' }),
    promptTokens: z
      .strictObject({
        over: Tokens.optional().meta({ description: 'More than this.' }),
        atMost: Tokens.min(1).optional().meta({ description: 'This or less.' }),
      })
      .refine(({ over, atMost }) => over !== undefined || atMost !== undefined, {
        error: 'needs "over" or "atMost"',
      })
      .optional()
      .meta({ description: 'Length of all messages together, estimated.' }),
    directory: oneOrMore(z.string().min(1).max(4096))
      .optional()
      .meta({ description: 'Absolute path, or several: the directory itself and all below it.' }),
    key: oneOrMore(Name)
      .optional()
      .meta({ description: 'Name of the API key a task is submitted with, or several.' }),
  })
  .refine((when) => Object.values(when).some((condition) => condition !== undefined), {
    error: 'needs at least one condition: "default" is where tasks go that nothing matches',
  })

export const RoutingRule = z
  .strictObject({
    when: Conditions.meta({ description: 'All that stands here must hold.' }),
    ...target,
  })
  .refine(hasOneTarget, ONE_TARGET)

export const Target = z
  .string()
  .regex(/^[^\s/]+(\/\S+)?$/, 'must be the name of a tier, "provider/model", or a map')
  .meta({ description: 'The name of a tier, or "provider/model".' })
