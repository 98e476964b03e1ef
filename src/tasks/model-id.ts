import { z } from 'zod'

/** `acme/nano`: provider and model, split at the first `/`; the model's own id may hold more of them. */
export type ModelID = `${string}/${string}`

const PATTERN = /^[^\s/]+\/\S+$/

/** `"acme/nano"` or `{ providerID: 'acme', modelID: 'nano' }`; always parsed to the string. */
export const ModelIDInput = z.union([
  z
    .string()
    .max(512)
    .regex(PATTERN, 'must be "provider/model"')
    .transform((text) => text as ModelID),
  z
    .strictObject({
      providerID: z
        .string()
        .regex(/^[^\s/]+$/)
        .max(256),
      modelID: z.string().regex(/^\S+$/).max(256),
    })
    .transform(({ providerID, modelID }): ModelID => `${providerID}/${modelID}`),
])

/** `acme/nano` → `{ providerID: 'acme', modelID: 'nano' }`. */
export function splitModelID(model: ModelID): { providerID: string; modelID: string } {
  const slash = model.indexOf('/')
  return { providerID: model.slice(0, slash), modelID: model.slice(slash + 1) }
}
