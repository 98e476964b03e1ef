/** The keys that do not route. All have defaults, which also hold without a file. */
import { z } from 'zod'
import { Name } from '../tasks/input.ts'
import { Permissions } from '../tasks/permissions.ts'
import { DAY, HOUR, MINUTE, QueueTimeoutMs, RetryWaitMs, SECOND, Steps, TimeoutMs } from './schema-ranges.ts'

const MIB = 1024 * 1024

export const DefaultsSchema = z.strictObject({
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
      allow: z.array(z.string().min(1)).min(1, 'must name at least one').optional().meta({
        description: 'Absolute paths tasks may work below. TIERLINE_DIRECTORIES beats it. Absent: any.',
      }),
    })
    .prefault({}),
  verifiers: z
    .record(
      Name,
      z.strictObject({
        run: z.array(z.string().min(1)).min(1, 'must name at least the program').meta({
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
})

export type DefaultsContent = z.output<typeof DefaultsSchema>
