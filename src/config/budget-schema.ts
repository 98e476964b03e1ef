import { z } from 'zod'
import { Usd } from './schema-ranges.ts'

const SCOPE = /^(global|(type|tier|key):\S+|provider:[^\s/]+|model:[^\s/]+\/\S+)$/

export const Budget = z
  .strictObject({
    scope: z
      .string()
      .regex(SCOPE, 'must be global, type:NAME, tier:NAME, provider:NAME, model:PROVIDER/MODEL or key:NAME')
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

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name })
    return true
  } catch {
    return false
  }
}
