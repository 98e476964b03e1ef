/** How far a turn has come. Pure. */
import type { ModelID } from '../../tasks/model-id.ts'
import { answersOf } from './turn-messages.ts'
import type { WireMessage } from './wire.ts'

export interface Tally {
  /** The last one that answered; the one asked for while none has. */
  model: ModelID
  /** Answers of the model that are complete, summaries included: they are paid for too. */
  steps: number
}

export function tally(turn: readonly WireMessage[], asked: ModelID): Tally {
  const answers = answersOf(turn).map(({ info }) => info)
  const last = answers.findLast(({ summary }) => !summary)
  return {
    model: last ? `${last.providerID}/${last.modelID}` : asked,
    steps: answers.filter(({ finish }) => finish !== undefined && finish !== 'error').length,
  }
}
