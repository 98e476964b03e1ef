import { z } from 'zod'

/** The keys that an object at `path` may have, of all alternatives; none where a path leads nowhere. */
export function knownKeys(schema: z.core.$ZodType, path: readonly PropertyKey[]): string[] {
  let schemas = unwrapped(schema)
  for (const key of path)
    schemas = schemas.flatMap((parent) => {
      if (parent instanceof z.ZodObject) return unwrapped(parent.shape[String(key)])
      if (parent instanceof z.ZodRecord) return unwrapped(parent.valueType)
      return parent instanceof z.ZodArray ? unwrapped(parent.element) : []
    })
  return schemas.flatMap((found) => (found instanceof z.ZodObject ? Object.keys(found.shape) : []))
}

/** Without defaults, optionality and what is made of the value; of a union every alternative. */
function unwrapped(schema: z.core.$ZodType | undefined): z.core.$ZodType[] {
  if (schema instanceof z.ZodUnion) return schema.options.flatMap(unwrapped)
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault)
    return unwrapped(schema.def.innerType)
  if (schema instanceof z.ZodPipe) return unwrapped(schema.def.in)
  return schema ? [schema] : []
}
