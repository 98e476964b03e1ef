/** Whether a task may be queued, and where to: everything that costs nothing is checked before anything is written. */
import type { CatalogSnapshot } from '../catalog/catalog.ts'
import type { CatalogCache } from '../catalog/catalog-cache.ts'
import { isTierlineError, TierlineError } from '../errors.ts'
import { nearestNames } from '../routing/nearest.ts'
import { queueOf } from '../routing/queue-of.ts'
import { resolveMessageModel, resolveRoute } from '../routing/resolve.ts'
import type { RoutingTable } from '../routing/table.ts'
import { messagesOf, type ParsedTaskInput, partsOf } from '../tasks/input.ts'
import { parseTaskInput } from '../tasks/parse-input.ts'
import type { Route } from '../tasks/route.ts'
import type { Admitted } from './submit.ts'

export interface AdmitDeps {
  table(): RoutingTable
  catalog: CatalogCache
  maxPromptBytes(): number
  /** The real path. @throws {TierlineError} when it may not be used; `field` names the field in the error. */
  checkDirectory(directory: string, field: string): Promise<string>
  /** The real path of a `file://` URL. @throws as above. */
  checkFile(url: string, field: string): Promise<string>
}

export type Admit = ReturnType<typeof createAdmit>

/** See the functions it returns. They wait for nothing when the catalog is known and no path is named. */
export function createAdmit({ table, catalog, maxPromptBytes, checkDirectory, checkFile }: AdmitDeps) {
  /** @throws {TierlineError} that names the field, what was given, and what would be right. */
  async function admit(raw: unknown): Promise<Admitted> {
    return admitParsed(parse(raw))
  }

  function parse(raw: unknown): ParsedTaskInput {
    return parseTaskInput(raw, { maxPromptBytes: maxPromptBytes() })
  }

  /** As `admit`, for an input that was checked when it came. */
  async function admitParsed(input: ParsedTaskInput): Promise<Admitted> {
    const directory =
      input.directory === undefined ? null : await checkDirectory(input.directory, 'directory')
    await checkFiles(input)
    const route = await routeOf(input, directory ?? undefined)
    return { input, route, queue: queueOf(route), directory }
  }

  /** Asks the server again, then the directory's own catalog, before a name counts as unknown. */
  async function routeOf(input: ParsedTaskInput, directory: string | undefined): Promise<Route> {
    try {
      return decide(input, await catalog.get())
    } catch (error) {
      if (!isUnknownName(error)) throw error
    }
    try {
      return decide(input, await catalog.refresh())
    } catch (error) {
      if (directory === undefined || !isUnknownName(error)) throw error
    }
    return decide(input, await catalog.refresh(directory))
  }

  function decide(input: ParsedTaskInput, snapshot: CatalogSnapshot): Route {
    const { type, tier, model } = input
    const route = resolveRoute(
      { ...(type && { type }), ...(tier && { tier }), ...(model && { model }) },
      table(),
      snapshot,
    )
    checkAgent(input.agent, 'agent', snapshot)
    for (const [index, message] of (input.messages ?? []).entries()) {
      if (message.model !== undefined) resolveMessageModel(message.model, `messages.${index}.model`, snapshot)
      checkAgent(message.agent, `messages.${index}.agent`, snapshot)
    }
    return route
  }

  async function checkFiles(input: ParsedTaskInput): Promise<void> {
    for (const [index, message] of messagesOf(input).entries()) {
      for (const [place, part] of partsOf(message).entries()) {
        if (part.type === 'file' && part.url.startsWith('file:'))
          await checkFile(part.url, `messages.${index}.parts.${place}.url`)
      }
    }
  }

  return { admit, parse, admitParsed }
}

function checkAgent(agent: string | undefined, field: string, { agents }: CatalogSnapshot): void {
  if (agent === undefined || agents.includes(agent)) return
  const allowed = nearestNames(agent, agents)
  throw new TierlineError(
    'unknown_agent',
    `Cannot use the agent "${agent}": the OpenCode server has ${agents.join(', ')}`,
    {
      errors: [{ field, message: 'is no agent of the OpenCode server', given: agent, allowed }],
    },
  )
}

function isUnknownName(error: unknown): boolean {
  return (
    isTierlineError(error, 'unknown_model') ||
    isTierlineError(error, 'unknown_agent') ||
    isTierlineError(error, 'no_route')
  )
}
