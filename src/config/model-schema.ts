/** What is said of single models and API keys: limits and prices. */
import { z } from 'zod'
import { Count, Usd } from './schema-ranges.ts'

/** A provider alone stands for all of its models. */
export const ProviderOrModel = z.string().regex(/^[^\s/]+(\/\S+)?$/, 'must be "provider/model" or a provider')

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

export const ModelLimits = z.strictObject({
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

export const KeyLimits = z.strictObject({
  concurrency: Count.meta({ description: 'Tasks of this key at a time, of all workers together.' }),
})
