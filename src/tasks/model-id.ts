import { z } from 'zod'

/** `acme/nano`: provider and model, split at the first `/`; the model's own id may hold more of them. */
export type ModelID = `${string}/${string}`

/** The text of a model as a client writes it. A bare `nano` is refused where the nearest that are offered are known. */
export const ModelText = z.string().max(512).regex(/^\S+$/, 'must be "provider/model"')

/** `"acme/nano"` or `{ providerID: 'acme', modelID: 'nano' }`; always parsed to the string. */
export const ModelIDInput = z.union([
  ModelText.transform((text) => text as ModelID),
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
