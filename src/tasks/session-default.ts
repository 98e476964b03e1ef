import { z } from 'zod'
import { Name } from './input.ts'
import { ModelIDInput } from './model-id.ts'

/**
 * What messages of a session are routed by that name nothing themselves. It lies in the session's own
 * `metadata.tierline`, so it lives as long as the session does and comes along when that is forked.
 */
const SessionDefault = z.object({
  type: Name.optional(),
  tier: Name.optional(),
  model: ModelIDInput.optional(),
  /** OpenCode's word for a way to run the model; holds where that model does. */
  variant: z.string().optional(),
})
export type SessionDefault = z.output<typeof SessionDefault>

/** Empty for a session that has none, or whose metadata somebody else wrote. */
export function sessionDefaultOf(metadata: Readonly<Record<string, unknown>>): SessionDefault {
  // Told apart since a parse that fails costs more than all else of a message.
  if (metadata.tierline === undefined) return {}
  return SessionDefault.safeParse(metadata.tierline).data ?? {}
}
