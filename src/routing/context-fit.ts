import type { CatalogModel, CatalogSnapshot } from '../catalog/catalog.ts'
import type { ModelID } from '../tasks/model-id.ts'
import { modelsOf } from './catalog-index.ts'

/** OpenCode asks for no longer answer, whatever the model could give. */
export const MOST_OUTPUT_TOKENS = 32_000

/**
 * Tokens of one message that a model can take: its context without the room for the answer, as OpenCode
 * reckons. The answer takes half of the context at most: some catalogs give the context as the output limit.
 *
 * `undefined`: not known, and then nothing is too long.
 */
export function roomTokens({ contextTokens, outputTokens }: CatalogModel): number | undefined {
  if (!(contextTokens > 0)) return undefined
  return contextTokens - Math.min(outputTokens || 0, MOST_OUTPUT_TOKENS, Math.floor(contextTokens / 2))
}

/** Whether a message of so many tokens fits; also where nothing is known of the model. */
export function canTake(model: ModelID, tokens: number, catalog: CatalogSnapshot): boolean {
  const offered = modelsOf(catalog).get(model)
  const room = offered && roomTokens(offered)
  return room === undefined || tokens <= room
}
