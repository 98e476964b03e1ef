import { z } from 'zod'

/** A `ModelID`, as a schema that OpenAPI can show. */
const Model = z.templateLiteral([z.string(), '/', z.string()])

/** One step of the decision: `{ step: 'type', input: 'lint', outcome: 'tier fast' }`. */
export const RouteStep = z.object({ step: z.string(), input: z.string(), outcome: z.string() })
export type RouteStep = z.infer<typeof RouteStep>

/** What the producer asked for, of those three that choose a route. */
export const RouteRequested = z.object({
  type: z.string().optional(),
  tier: z.string().optional(),
  model: Model.optional(),
})

/** The decision for one task, with its reasons. */
export const Route = z.object({
  /** Version of the routing table that decided. */
  generation: z.int(),
  requested: RouteRequested,
  /** `null`: a pinned model that no tier lists. */
  tier: z.string().nullable(),
  model: Model,
  /** The models after `model`, in the order they would be tried. Empty for a pinned model. */
  chain: z.array(Model),
  steps: z.array(RouteStep),
})
export type Route = z.infer<typeof Route>
