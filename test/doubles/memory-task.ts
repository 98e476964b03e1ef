/** What the ports in memory know: three tiers, three task types, and the tasks made of them. */
import { type FieldError, TierlineError } from '../../src/errors.ts'
import { messagesOf, type ParsedTaskInput } from '../../src/tasks/input.ts'
import type { ModelID } from '../../src/tasks/model-id.ts'
import type { Task } from '../../src/tasks/task.ts'
import { createTaskID } from '../../src/tasks/task-id.ts'
import { NO_USAGE } from '../../src/tasks/usage.ts'
import type { ModelView } from '../../src/tasks/views.ts'

export const MEMORY_TIERS: Record<string, ModelID[]> = {
  fast: ['acme/nano', 'acme/mini'],
  balanced: ['acme/base'],
  powerful: ['acme/big'],
}
export const MEMORY_ROUTES: Record<string, string> = {
  lint: 'fast',
  review: 'balanced',
  analysis: 'powerful',
}

/** Routed by the tables above; fit for tests of HTTP, not of routing. */
export function createMemoryTask(input: ParsedTaskInput): Task {
  const { type, tier: asked, model: pinned } = input
  if (type !== undefined && !(type in MEMORY_ROUTES))
    throw unknown('unknown_type', 'type', type, Object.keys(MEMORY_ROUTES))
  if (asked !== undefined && !(asked in MEMORY_TIERS))
    throw unknown('unknown_tier', 'tier', asked, Object.keys(MEMORY_TIERS))
  const all = Object.values(MEMORY_TIERS).flat()
  if (pinned !== undefined && !all.includes(pinned)) throw unknown('unknown_model', 'model', pinned, all)
  const tier = asked ?? (type === undefined ? 'balanced' : MEMORY_ROUTES[type]!)
  const [first, ...chain] = MEMORY_TIERS[tier]!
  const id = createTaskID()
  const self = `/v1/tasks/${id}`
  return {
    id,
    state: input.delayMs ? 'delayed' : 'waiting',
    waitingFor: null,
    type: type ?? null,
    tier,
    queue: tier,
    model: pinned ?? first!,
    route: {
      generation: 1,
      requested: {
        ...(type !== undefined && { type }),
        ...(asked !== undefined && { tier: asked }),
        ...(pinned !== undefined && { model: pinned }),
      },
      tier,
      model: pinned ?? first!,
      chain: pinned === undefined ? chain : [],
      steps: [{ step: 'type', input: type ?? '', outcome: `tier ${tier}` }],
    },
    directory: input.directory ?? null,
    server: null,
    sessionID: null,
    parentTaskID: input.parentTaskID ?? null,
    attempt: 0,
    progress: { message: 0, messages: messagesOf(input).length },
    usage: NO_USAGE,
    costMicroUsd: 0,
    costEstimatedMicroUsd: 0,
    createdAt: Date.now(),
    startedAt: null,
    finishedAt: null,
    result: null,
    error: null,
    metadata: input.metadata ?? {},
    links: { self, events: `${self}/events`, result: `${self}/result`, board: `/board/queue/${tier}/${id}` },
  }
}

function unknown(
  code: 'unknown_type' | 'unknown_tier' | 'unknown_model',
  field: string,
  given: string,
  allowed: string[],
): TierlineError {
  const errors: FieldError[] = [{ field, message: 'is not known', given, allowed }]
  return new TierlineError(code, `Cannot accept the task: ${field} "${given}" is not known`, { errors })
}

export function memoryModel(model: ModelID, tier: string): ModelView {
  const [providerID, modelID] = model.split('/') as [string, string]
  return {
    model,
    providerID,
    modelID,
    name: modelID,
    tiers: [tier],
    price: {
      inputMicroUsdPerMTok: 1_000_000,
      outputMicroUsdPerMTok: 5_000_000,
      cacheReadMicroUsdPerMTok: 100_000,
      cacheWriteMicroUsdPerMTok: 1_250_000,
    },
    contextTokens: 200_000,
    outputTokens: 16_000,
    tools: true,
    state: 'ok',
    coolingUntil: null,
  }
}
