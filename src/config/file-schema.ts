/**
 * What may stand in `tierline.yaml`. The JSON Schema for editors and the tables of docs/configuration.md
 * are held to this file by tests.
 */
import { z } from 'zod'
import { Name } from '../tasks/input.ts'
import { Budget } from './budget-schema.ts'
import { DefaultsSchema } from './defaults-schema.ts'
import { KeyLimits, ModelLimits, ProviderOrModel } from './model-schema.ts'
import { Route, RoutingRule, Target, Tier } from './routing-schema.ts'

export const FileSchema = z
  .strictObject({
    tiers: z
      .record(Name, Tier)
      .refine((tiers) => Object.keys(tiers).length > 0, 'must name at least one tier')
      .meta({
        description:
          'Named classes of models. The order counts: a pinned model waits in the first tier that lists it.',
      }),
    rules: z.array(RoutingRule).max(1000).default([]).meta({
      description: 'Asked in their order before the type of a task is: the first that matches decides.',
    }),
    routes: z
      .record(Name, z.union([Target, Route]))
      .default({})
      .meta({ description: 'Task type → tier, "provider/model", or one of them with limits.' }),
    default: Name.optional().meta({
      description:
        'Tier of tasks that name no model, tier or type. Absent: `balanced` if there is one, else the first.',
    }),
    models: z.record(ProviderOrModel, ModelLimits).default({}).meta({
      description:
        'Limits and prices, by "provider/model" or provider. Limits of both hold; the price of the model beats.',
    }),
    keys: z
      .record(z.union([Name, z.literal('*')]), KeyLimits)
      .default({})
      .meta({ description: 'Limits of API keys, by name. `*`: of each that is not named.' }),
    budgets: z
      .array(Budget)
      .default([])
      .meta({ description: 'What may be spent, each of its own scope; all that fit a task hold together.' }),
    ...DefaultsSchema.shape,
  })
  .meta({ title: 'tierline.yaml', description: 'The routing table of tierline, with its limits.' })

export type FileContent = z.output<typeof FileSchema>
