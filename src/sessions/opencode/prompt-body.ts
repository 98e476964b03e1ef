import { splitModelID } from '../../tasks/model-id.ts'
import type { Turn } from '../backend.ts'
import type { PromptBody } from './http.ts'

/** A turn as it is sent. The same again for the same turn, so that OpenCode knows it when it comes twice. */
export function promptBody({ messageID, model, agent, system, variant, tools, parts }: Turn): PromptBody {
  return {
    messageID,
    model: splitModelID(model),
    agent,
    ...(system !== undefined && { system }),
    ...(variant !== undefined && { variant }),
    ...(tools !== undefined && { tools }),
    parts,
  }
}
