import { z } from 'zod'
import { FileSchema } from './file-schema.ts'

/** The JSON Schema of `tierline.yaml`, as `docs/tierline.schema.json` holds it for editors. */
export function fileJsonSchema(): string {
  return `${JSON.stringify(z.toJSONSchema(FileSchema, { io: 'input' }), null, 2)}\n`
}
