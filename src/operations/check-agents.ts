import type { CatalogSnapshot } from '../catalog/catalog.ts'
import { TierlineError } from '../errors.ts'
import type { ParsedTaskInput } from '../tasks/input.ts'
import { nearestNames } from '../tasks/nearest.ts'

/**
 * All that a task names, and all that its messages mention, which may be agents that no message can be sent to.
 *
 * @throws {TierlineError} `unknown_agent`, naming the field.
 */
export function checkAgents(
  { agent, messages = [] }: Pick<ParsedTaskInput, 'agent' | 'messages'>,
  { agents, subagents }: CatalogSnapshot,
): void {
  check(agent, 'agent', agents)
  for (const [index, message] of messages.entries()) {
    check(message.agent, `messages.${index}.agent`, agents)
    for (const [place, part] of (message.parts ?? []).entries())
      if (part.type === 'agent')
        check(part.name, `messages.${index}.parts.${place}.name`, [...agents, ...subagents])
  }
}

function check(agent: string | undefined, field: string, agents: readonly string[]): void {
  if (agent === undefined || agents.includes(agent)) return
  const allowed = nearestNames(agent, agents)
  throw new TierlineError(
    'unknown_agent',
    `Cannot use the agent "${agent}": the OpenCode server has ${agents.join(', ')}`,
    { errors: [{ field, message: 'is no agent of the OpenCode server', given: agent, allowed }] },
  )
}
