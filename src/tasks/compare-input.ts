/** The same task on several models or tiers at once. */
import { z } from 'zod'
import { checkPrompt, Name, type ParsedTaskInput, TaskInput } from './input.ts'
import { type ModelID, ModelIDInput } from './model-id.ts'
import { createTaskID } from './task-id.ts'

const MOST_COLUMNS = 20

const { model: _, tier: __, sessionID: ___, ...shape } = TaskInput.shape

export const CompareInput = z
  .strictObject({
    models: z.array(ModelIDInput).min(2).max(MOST_COLUMNS).optional().meta({
      description: 'Models to compare; or `tiers`.',
    }),
    tiers: z.array(Name).min(2).max(MOST_COLUMNS).optional().meta({
      description: 'Tiers to compare, each by the model it leads to.',
    }),
    verify: Name.optional().meta({
      description: 'A verifier of the configuration file, which judges what each changed.',
    }),
    output: z
      .strictObject({
        schema: z.record(z.string(), z.unknown()).meta({ description: 'JSON Schema of the answer.' }),
      })
      .optional()
      .meta({ description: 'Judges each answer: it must be JSON of this schema.' }),
    ...shape,
  })
  .check(checkPrompt)
  .superRefine((input, context) => {
    const refuse = (path: (string | number)[], message: string) =>
      context.addIssue({ code: 'custom', path, message })
    if (input.models === undefined && input.tiers === undefined)
      refuse(['models'], 'is required: models, or tiers')
    if (input.models !== undefined && input.tiers !== undefined)
      refuse(['tiers'], 'contradicts "models": give one of them')
    if (input.verify !== undefined && input.output !== undefined)
      refuse(['verify'], 'contradicts "output": give one of them')
    if (input.verify !== undefined && input.directory === undefined)
      refuse(['directory'], 'is required where something is to be verified')
    for (const [index, { model }] of (input.messages ?? []).entries())
      if (model !== undefined)
        refuse(['messages', index, 'model'], 'would be the same for all that are compared')
    if (input.output !== undefined && schemaOf(input.output.schema) === undefined)
      refuse(['output', 'schema'], 'must be a JSON Schema')
  })

/** What a producer writes. */
export type CompareInput = z.input<typeof CompareInput>

/** What the record of a comparison keeps, beside the input that all of its tasks share. */
export interface CompareSpec {
  /** In the order of the table. The ids are drawn at submit, so that each task is made once. */
  columns: readonly CompareColumn[]
  isolation: NonNullable<ParsedTaskInput['isolation']>
  verify?: string
  /** JSON Schema. */
  schema?: Record<string, unknown>
}

export interface CompareColumn {
  taskID: string
  model?: ModelID
  tier?: string
}

/** `isolation`: what the tasks get that say nothing about it. */
export function splitCompareInput(
  {
    models,
    tiers,
    verify,
    output,
    isolation: asked,
    ...input
  }: Omit<z.output<typeof CompareInput>, 'idempotencyKey'>,
  isolation: CompareSpec['isolation'],
): { input: ParsedTaskInput; spec: CompareSpec } {
  const columns = [...(models ?? []).map((model) => ({ model })), ...(tiers ?? []).map((tier) => ({ tier }))]
  return {
    input,
    spec: {
      columns: columns.map((column) => ({ taskID: createTaskID(), ...column })),
      isolation: asked ?? isolation,
      ...(verify !== undefined && { verify }),
      ...(output !== undefined && { schema: output.schema }),
    },
  }
}

/** The same once more, with new tasks. */
export function renewed(spec: CompareSpec): CompareSpec {
  return { ...spec, columns: spec.columns.map((column) => ({ ...column, taskID: createTaskID() })) }
}

/** The input of one of the tasks. */
export function inputOfColumn(
  input: ParsedTaskInput,
  { isolation }: CompareSpec,
  { model, tier }: CompareColumn,
): ParsedTaskInput {
  const { delayMs: _, parentTaskID: __, ...shared } = input
  return { ...shared, isolation, ...(model !== undefined && { model }), ...(tier !== undefined && { tier }) }
}

/** `undefined`: it is none, or says what cannot be checked. */
export function schemaOf(json: Record<string, unknown>): z.ZodType | undefined {
  try {
    return z.fromJSONSchema(json)
  } catch {
    return undefined
  }
}
