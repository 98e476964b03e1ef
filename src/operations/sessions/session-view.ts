/** OpenCode's sessions with the model that tierline keeps for them. Pure. */
import type { ModelID } from '../../tasks/model-id.ts'
import { splitModelID } from '../../tasks/model-id.ts'
import { type SessionDefault, sessionDefaultOf } from '../../tasks/session-default.ts'

/**
 * OpenCode shows the model of the last message; this shows what the next one is sent to if it names none.
 * What is no session comes back as it is.
 */
export function viewSession(
  value: unknown,
  modelOf: (route: SessionDefault, directory: string | undefined) => ModelID | undefined,
): unknown {
  if (typeof value !== 'object' || value === null || !('id' in value)) return value
  const { metadata, directory } = value as { metadata?: Record<string, unknown>; directory?: string }
  const route = sessionDefaultOf(metadata ?? {})
  const model = modelOf(route, directory)
  if (model === undefined) return value
  const { providerID, modelID } = splitModelID(model)
  return {
    ...value,
    model: { id: modelID, providerID, ...(route.variant !== undefined && { variant: route.variant }) },
  }
}
