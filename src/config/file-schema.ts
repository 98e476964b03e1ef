/**
 * What may stand in `tierline.yaml`. The JSON Schema for editors and the tables of docs/configuration.md
 * are held to this file by tests.
 */
import { z } from 'zod'
import { Name } from '../tasks/input.ts'
import type { ModelID } from '../tasks/model-id.ts'
import { Permissions } from '../tasks/permissions.ts'

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const MIB = 1024 * 1024

const MODEL = /^[^\s/]+\/\S+$/
const PROVIDER_OR_MODEL = /^[^\s/]+(\/\S+)?$/
const BUDGET_SCOPE = /^(global|(type|tier|key):\S+|provider:[^\s/]+|model:[^\s/]+\/\S+)$/

const Model = z
  .string()
  .max(512)
  .regex(MODEL, 'must be "provider/model"')
  .transform((text) => text as ModelID)

const Count = z.int().min(1).max(1_000_000)
const Usd = z.number().min(0).max(1_000_000)
/** A limit of nothing would be a task that cannot run. */
const CostUsd = z.number().min(0.000001).max(1_000_000)
const TimeoutMs = z.int().min(SECOND).max(DAY)
const RetryWaitMs = z.int().min(0).max(DAY)
const QueueTimeoutMs = z
  .int()
  .min(SECOND)
  .max(365 * DAY)
const Steps = z.int().min(1).max(10_000)

const Tier = z.strictObject({
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

const Route = z.strictObject(target).refine(hasOneTarget, ONE_TARGET)

const oneOrMore = <Schema extends z.ZodType<string>>(name: Schema) =>
  z.union([name, z.array(name).min(1, 'must name at least one').max(100)])

const Tokens = z.int().min(0).max(1_000_000_000)

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

const RoutingRule = z
  .strictObject({
    when: Conditions.meta({ description: 'All that stands here must hold.' }),
    ...target,
  })
  .refine(hasOneTarget, ONE_TARGET)

const Target = z
  .string()
  .regex(/^[^\s/]+(\/\S+)?$/, 'must be the name of a tier, "provider/model", or a map')
  .meta({ description: 'The name of a tier, or "provider/model".' })

const Rates = z.strictObject({
  inputUsdPerMTok: Usd.meta({ description: 'Tokens that were not read from the cache.' }),
  outputUsdPerMTok: Usd.meta({ description: 'Reasoning is billed as output too.' }),
  cacheReadUsdPerMTok: Usd.optional().meta({ description: 'Absent: as input.' }),
  cacheWriteUsdPerMTok: Usd.optional().meta({ description: 'Absent: as input.' }),
})

const Price = Rates.extend({
  bands: z
    .array(
      z.strictObject({
        aboveContextTokens: z.int().min(1).max(100_000_000).meta({
          description: 'Tokens of the prompt, cached ones counted; with more, the whole request costs this.',
        }),
        ...Rates.shape,
      }),
    )
    .min(1)
    .optional()
    .meta({ description: 'Other prices for long prompts; where several fit, the highest.' }),
}).meta({ description: 'Beats what the catalog says, in USD per million tokens. 0 is known to be free.' })

const ModelLimits = z.strictObject({
  concurrency: Count.optional().meta({
    description: 'Tasks at a time, of all workers together.',
  }),
  requestsPerMinute: Count.optional().meta({
    description: 'Steps of the model in any sixty seconds; a turn has one or more.',
  }),
  tokensPerMinute: z.int().min(1).max(1_000_000_000).optional().meta({
    description: 'Input and output together, in any sixty seconds. What the cache gave is not counted.',
  }),
  price: Price.optional(),
})

const KeyLimits = z.strictObject({
  concurrency: Count.meta({ description: 'Tasks of this key at a time, of all workers together.' }),
})

const Budget = z
  .strictObject({
    scope: z
      .string()
      .regex(
        BUDGET_SCOPE,
        'must be global, type:NAME, tier:NAME, provider:NAME, model:PROVIDER/MODEL or key:NAME',
      )
      .meta({ description: 'What counts against it.' }),
    per: z
      .enum(['hour', 'day', 'month', 'once'])
      .meta({ description: 'The window after which it is full again.' }),
    limitUsd: Usd.meta({ description: 'Most that may be spent in one window.' }),
    timeZone: z
      .string()
      .refine(isTimeZone, 'must be a time zone such as "Europe/Berlin"')
      .default('UTC')
      .meta({ description: 'By whose clock hours, days and months begin.' }),
    onExceed: z
      .enum(['reject', 'queue', 'downgrade'])
      .default('reject')
      .meta({ description: 'Refuse the task, let it wait for the next window, or take a cheaper tier.' }),
    downgradeAtPercent: z.int().min(1).max(100).optional().meta({
      description: 'From this part of the limit on a cheaper tier is taken. Only with onExceed: downgrade.',
    }),
    onUnknownPrice: z.enum(['reject', 'allow']).default('reject').meta({
      description:
        'A task whose model has no known price: refuse it with `unknown_price`, or run it without counting it.',
    }),
  })
  .refine(
    ({ onExceed, downgradeAtPercent }) => downgradeAtPercent === undefined || onExceed === 'downgrade',
    {
      error: 'means something only with onExceed: downgrade',
      path: ['downgradeAtPercent'],
    },
  )

const withDefaults = {
  limits: z
    .strictObject({
      maxWaitingTasks: z.int().min(1).max(10_000_000).default(100_000).meta({
        description: 'Tasks that may wait; more are refused with `queue_full`.',
      }),
      maxPromptBytes: z
        .int()
        .min(1)
        .max(64 * MIB)
        .default(MIB)
        .meta({
          description: 'Text, system prompts and inline files of one task together.',
        }),
    })
    .prefault({}),
  tasks: z
    .strictObject({
      timeoutMs: TimeoutMs.default(30 * MINUTE).meta({
        description: 'Wall clock of a task from its first start, where neither it nor its route names one.',
      }),
      queueTimeoutMs: QueueTimeoutMs.default(7 * DAY).meta({
        description: 'How long a task may wait for its first start, its own delay left out: `queue_timeout`.',
      }),
      maxSteps: Steps.default(50).meta({
        description: 'Steps of the model in one turn; one that wants more is aborted: `too_many_steps`.',
      }),
      silenceMs: TimeoutMs.default(4 * MINUTE).meta({
        description:
          'How long a model that is to speak may say nothing; no limit while a tool runs: `stream_silent`.',
      }),
      askTimeoutMs: TimeoutMs.default(5 * MINUTE).meta({
        description: 'How long a person has to answer what an agent asks, before it is denied.',
      }),
      permissions: Permissions.default({}).meta({
        description:
          'What agents may do: `allow`, `deny` or `ask`, by permission, or by permission and pattern.',
      }),
      retryWaitMs: RetryWaitMs.default(10 * MINUTE).meta({
        description:
          'From the first failure of a provider to the next step that goes well, waits included: `retry_timeout`.',
      }),
      retry: z
        .strictObject({
          maxTries: z.int().min(1).max(20).default(3).meta({
            description: 'Tries of one message on one model, the first included.',
          }),
          backoffMs: z.int().min(0).max(HOUR).default(SECOND).meta({
            description: 'Wait before the second try; doubles with each further one.',
          }),
          maxBackoffMs: z
            .int()
            .min(0)
            .max(DAY)
            .default(MINUTE)
            .meta({ description: 'The longest such wait.' }),
          maxRetryAfterMs: z.int().min(0).max(DAY).default(MINUTE).meta({
            description: 'The longest `Retry-After` that is waited for while the tier has another model.',
          }),
          cooldownMs: z
            .int()
            .min(0)
            .max(DAY)
            .default(30 * SECOND)
            .meta({
              description:
                'How long all tasks leave a model alone that one has given up; doubles while it fails. 0: not at all.',
            }),
          maxCooldownMs: z
            .int()
            .min(0)
            .max(DAY)
            .default(10 * MINUTE)
            .meta({ description: 'The longest such time, unless the provider asks for more.' }),
        })
        .prefault({}),
    })
    .prefault({}),
  retention: z
    .strictObject({
      logAgeMs: z
        .int()
        .min(MINUTE)
        .max(365 * DAY)
        .default(DAY)
        .meta({
          description:
            'How long the event log of a finished task is kept; of one that failed, as long as the task.',
        }),
      taskAgeMs: z
        .int()
        .min(MINUTE)
        .max(365 * DAY)
        .default(7 * DAY)
        .meta({
          description: 'How long a finished task with its result is kept.',
        }),
      maxFinishedTasks: z.int().min(1).max(10_000_000).default(10_000).meta({
        description: 'Finished tasks that are kept; the oldest go first.',
      }),
      maxLogEvents: z.int().min(100).max(1_000_000).default(10_000).meta({
        description: 'Events of one log; the oldest go first, and readers are told.',
      }),
      ledgerDays: z.int().min(1).max(3_650).default(400).meta({
        description: 'Days that the costs of a day are kept after it, whatever became of its tasks.',
      }),
      idempotencyAgeMs: z
        .int()
        .min(MINUTE)
        .max(365 * DAY)
        .default(DAY)
        .meta({
          description: 'How long an idempotency key is remembered, from the first submit with it.',
        }),
    })
    .prefault({}),
  workers: z
    .strictObject({
      concurrency: z.int().min(1).max(10_000).default(10).meta({
        description: 'Tasks at a time of one tier in one process, where the tier has no limit of its own.',
      }),
    })
    .prefault({}),
  directories: z
    .strictObject({
      allow: z.array(z.string().min(1)).min(1).optional().meta({
        description: 'Absolute paths tasks may work below. TIERLINE_DIRECTORIES beats it. Absent: any.',
      }),
    })
    .prefault({}),
  verifiers: z
    .record(
      Name,
      z.strictObject({
        run: z.array(z.string().min(1)).min(1).meta({
          description: 'Program and arguments, without a shell. It has passed when it ends with 0.',
        }),
        timeoutMs: TimeoutMs.default(2 * MINUTE).meta({ description: 'After that it is killed.' }),
      }),
    )
    .default({})
    .meta({
      description:
        "Commands that judge what a compared task changed, in its worktree. Only where OpenCode's files are on this machine.",
    }),
  http: z
    .strictObject({
      allowedHosts: z.array(z.string().min(1)).default([]).meta({
        description: 'Names this server may be called by, beside localhost and TIERLINE_HOST.',
      }),
      corsOrigins: z.array(z.string().min(1)).default([]).meta({
        description: 'Origins of pages that may call the API from a browser.',
      }),
    })
    .prefault({}),
}

/** The keys that do not route: all have defaults, which also hold without a file. */
export const DefaultsSchema = z.strictObject(withDefaults)

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
    models: z
      .record(z.string().regex(PROVIDER_OR_MODEL, 'must be "provider/model" or a provider'), ModelLimits)
      .default({})
      .meta({
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
    ...withDefaults,
  })
  .meta({ title: 'tierline.yaml', description: 'The routing table of tierline, with its limits.' })

export type FileContent = z.output<typeof FileSchema>
export type DefaultsContent = z.output<typeof DefaultsSchema>

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name })
    return true
  } catch {
    return false
  }
}
