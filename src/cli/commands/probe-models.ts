import type { TierlineClient } from '../../client/index.ts'
import { isTierlineError } from '../../errors.ts'

export interface Probe {
  model: string
  /** From the message to the first text of the answer; `null`: there was none. */
  firstTokenMs: number | null
  /** To the end of the answer. */
  totalMs: number | null
  costMicroUsd: number
  /** `null`: it answered. */
  error: { code: string; message: string } | null
}

/** As short an answer as can be asked for. */
const PROMPT = 'Answer with the one word "ok".'
const TIMEOUT_MS = 120_000
const WARM_UP_TIMEOUT_MS = 30_000
/** More at once would tell how fast they are beside each other. */
const AT_ONCE = 4

/**
 * Asks each model for one token, as a task of its own that is pinned to it, and tells each as it comes. What the
 * queue takes is not counted. `warmUp` is asked once before, and not told: the first message after OpenCode was started
 * takes seconds longer, whatever its model, and nothing that is free makes up for it.
 */
export async function probeModels(
  client: TierlineClient,
  models: readonly string[],
  warmUp: string | undefined,
  onProbe: (probe: Probe) => void,
): Promise<Probe[]> {
  if (warmUp !== undefined) await probeModel(client, warmUp, 'warm-up', WARM_UP_TIMEOUT_MS)
  const probes: Probe[] = []
  const left = models.entries()
  const ask = async () => {
    for (const [index, model] of left) {
      const probe = await probeModel(client, model)
      probes[index] = probe
      onProbe(probe)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, ask))
  return probes
}

async function probeModel(
  client: TierlineClient,
  model: string,
  name = model,
  timeoutMs = TIMEOUT_MS,
): Promise<Probe> {
  try {
    const handle = await client.enqueue({
      model: model as `${string}/${string}`,
      prompt: PROMPT,
      title: `Probe of ${model}`.slice(0, 200),
      timeoutMs,
      metadata: { probe: name },
    })
    let sentAt: number | undefined
    let firstAt: number | undefined
    let endedAt: number | undefined
    for await (const item of handle.events()) {
      if (item.type === 'message-sent') sentAt ??= item.at
      else if (item.type === 'text-delta') firstAt ??= item.at
      else if (item.type === 'message-finished') endedAt = item.at
    }
    const { costMicroUsd, error } = await handle.result()
    const since = (at: number | undefined) => (at === undefined || sentAt === undefined ? null : at - sentAt)
    return { model, firstTokenMs: since(firstAt), totalMs: since(endedAt), costMicroUsd, error }
  } catch (error) {
    if (!isTierlineError(error)) throw error
    const { code, message } = error
    return { model, firstTokenMs: null, totalMs: null, costMicroUsd: 0, error: { code, message } }
  }
}
