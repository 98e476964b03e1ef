/** Whether a task may be queued, and where to: everything that costs nothing is checked before anything is written. */
import type { CatalogSnapshot } from '../catalog/catalog.ts'
import type { CatalogCache } from '../catalog/catalog-cache.ts'
import { isTierlineError, TierlineError } from '../errors.ts'
import type { TaskRecord } from '../records/task-record.ts'
import { configuredRules } from '../routing/permission-policy.ts'
import { NESTED_QUEUE, queueOf } from '../routing/queue-of.ts'
import { type RouteRequest, resolveMessageModel, resolveRoute } from '../routing/resolve.ts'
import type { RoutingTable } from '../routing/table.ts'
import { tableLimits } from '../routing/table-limits.ts'
import { factsOf, NO_FACTS, type TaskFacts } from '../routing/task-facts.ts'
import { messagesOf, type ParsedTaskInput, partsOf } from '../tasks/input.ts'
import { parseTaskInput } from '../tasks/parse-input.ts'
import type { Permissions } from '../tasks/permissions.ts'
import { estimateMessage } from '../tasks/prompt-size.ts'
import type { Route } from '../tasks/route.ts'
import { sessionDefaultOf } from '../tasks/session-default.ts'
import { checkAgents } from './check-agents.ts'
import { checkPermissions } from './check-permissions.ts'
import type { FoundSession } from './find-session.ts'
import type { Admitted } from './new-record.ts'
import { parentRefusal, parentRefused } from './parent.ts'

export interface AdmitDeps {
  table(): RoutingTable
  catalog: CatalogCache
  maxPromptBytes(): number
  /** What the configuration says to all agents. */
  permissions(): Permissions
  /** The real path. @throws {TierlineError} when it may not be used; `field` names the field in the error. */
  checkDirectory(directory: string, field: string): Promise<string>
  /** Where none is named; `undefined`: any may be used. Rejects with `directory_not_allowed`, `opencode_unavailable`. */
  checkOwnDirectories(): Promise<unknown> | undefined
  /** @throws {TierlineError} `session_not_found`, `opencode_unavailable`. */
  findSession(sessionID: string): Promise<FoundSession>
  /** The real path of a `file://` URL. @throws as above. */
  checkFile(url: string, field: string): Promise<string>
  /** @throws {TierlineError} `not_a_git_repository`. */
  checkRepository(directory: string): Promise<void>
  readRecord(id: string): Promise<TaskRecord | undefined>
  /** What somebody pays for. @throws {TierlineError} `budget_exceeded`, `unknown_price`. */
  withinBudget(admitted: Admitted): Admitted | Promise<Admitted>
}

export type Admit = ReturnType<typeof createAdmit>

/** See the functions it returns. They wait for nothing when the catalog is known and neither path nor parent is named. */
export function createAdmit(deps: AdmitDeps) {
  const {
    table,
    catalog,
    permissions,
    maxPromptBytes,
    checkDirectory,
    checkOwnDirectories,
    findSession,
    checkFile,
    checkRepository,
    readRecord,
    withinBudget,
  } = deps

  /** @throws {TierlineError} that names the field, what was given, and what would be right. */
  async function admit(raw: unknown, caller: string | null): Promise<Admitted> {
    return admitParsed(parse(raw), caller)
  }

  function parse(raw: unknown): ParsedTaskInput {
    return parseTaskInput(raw, { maxPromptBytes: maxPromptBytes() })
  }

  /**
   * As `admit`, for an input that is parsed. What an agent submits without a key counts as its task's.
   * `sends: false`: the task sends nothing itself, so its prompt is too long for no model, and nobody pays for it.
   */
  async function admitParsed(
    input: ParsedTaskInput,
    caller: string | null,
    { sends = true } = {},
  ): Promise<Admitted> {
    const admitted = await placeBelow(input, caller, sends)
    return sends ? withinBudget(admitted) : admitted
  }

  async function placeBelow(
    input: ParsedTaskInput,
    caller: string | null,
    sends: boolean,
  ): Promise<Admitted> {
    if (input.parentTaskID === undefined) return place(input, caller, sends)
    const parent = await readRecord(input.parentTaskID)
    const refusal = parentRefusal(parent)
    if (refusal !== undefined) throw parentRefused(refusal, input.parentTaskID)
    return below(await place(input, caller ?? parent!.key, sends))
  }

  /** As `admitParsed`, for a task that is there already: its parent may be over, and then nobody waits for it. */
  async function readmit({
    input,
    key,
    compare,
  }: Pick<TaskRecord, 'input' | 'key' | 'compare'>): Promise<Admitted> {
    const sends = compare === null
    const placed = await place(input, key, sends)
    if (input.parentTaskID === undefined) return sends ? withinBudget(placed) : placed
    const isOver = parentRefusal(await readRecord(input.parentTaskID)) !== undefined
    const found = isOver ? placed : await below(placed)
    return sends ? withinBudget(found) : found
  }

  /** Below a task that may wait for it: it must not wait for what is held there. */
  async function below(placed: Admitted): Promise<Admitted> {
    const { input, directory } = placed
    const nested = { ...placed, queue: NESTED_QUEUE }
    if (input.sessionID === undefined && input.isolation !== 'exclusive') return nested
    for (let above = input.parentTaskID; above !== undefined; ) {
      const task = await readRecord(above)
      if (task === undefined) break
      if (input.sessionID !== undefined && input.sessionID === (task.input.sessionID ?? task.sessionID))
        throw sessionOfParent(input.sessionID, above)
      if (
        input.isolation === 'exclusive' &&
        task.input.isolation === 'exclusive' &&
        task.directory === directory
      )
        return { ...nested, exclusiveBelow: above }
      above = task.input.parentTaskID
    }
    return nested
  }

  /** Where a task goes that nobody waits for. */
  async function place(input: ParsedTaskInput, key: string | null, sends: boolean): Promise<Admitted> {
    if (input.sessionID !== undefined) return admitToSession(input, await findSession(input.sessionID), key)
    const directory =
      input.directory === undefined ? null : await checkDirectory(input.directory, 'directory')
    if (directory === null) {
      const checking = checkOwnDirectories()
      if (checking !== undefined) await checking
    }
    if (input.isolation === 'worktree' && directory !== null) await checkRepository(directory)
    return admitTo(input, input, factsOf(sends ? input : undefined, { directory, key }))
  }

  /** The directory is the session's, and so is the route of one that names none. */
  async function admitToSession(
    input: ParsedTaskInput,
    session: FoundSession,
    key: string | null,
  ): Promise<Admitted> {
    const given = input.directory && (await checkDirectory(input.directory, 'directory'))
    const directory = session.directory && (await checkDirectory(session.directory, 'sessionID'))
    if (given && given !== directory) throw otherDirectory(given, directory, session.sessionID)
    const { type, tier, model } = input
    const asked = type ?? tier ?? model
    const route = asked === undefined ? sessionDefaultOf(session.metadata) : input
    return admitTo(input, route, factsOf(input, { directory: directory ?? null, key }))
  }

  async function admitTo(input: ParsedTaskInput, asked: RouteRequest, facts: TaskFacts): Promise<Admitted> {
    checkPermissions(input, configuredRules(permissions(), table(), asked.type, facts))
    await checkFiles(input)
    const route = await routeOf(input, asked, facts)
    const limits = tableLimits(asked.type, facts, table())
    const queueTimeoutMs = input.queueTimeoutMs ?? limits.queueTimeoutMs ?? null
    const { directory, key } = facts
    return { input, key, route, queue: queueOf(route), directory, queueTimeoutMs }
  }

  /** Asks the server again, then the directory's own catalog, before a name counts as unknown. */
  async function routeOf(
    input: Pick<ParsedTaskInput, 'agent' | 'messages'>,
    asked: RouteRequest,
    facts: TaskFacts,
  ): Promise<Route> {
    try {
      return decide(input, asked, facts, await catalog.get())
    } catch (error) {
      if (!isUnknownName(error)) throw error
    }
    try {
      return decide(input, asked, facts, await catalog.refresh())
    } catch (error) {
      if (facts.directory === null || !isUnknownName(error)) throw error
    }
    return decide(input, asked, facts, await catalog.refresh(facts.directory))
  }

  function decide(
    input: Pick<ParsedTaskInput, 'agent' | 'messages'>,
    asked: RouteRequest,
    facts: TaskFacts,
    snapshot: CatalogSnapshot,
  ): Route {
    const { type, tier, model } = asked
    const request = { ...(type && { type }), ...(tier && { tier }), ...(model && { model }) }
    const route = resolveRoute(request, table(), snapshot, facts)
    for (const [index, message] of (input.messages ?? []).entries()) {
      if (message.model !== undefined)
        resolveMessageModel(message.model, `messages.${index}.model`, snapshot, estimateMessage(message))
    }
    checkAgents(input, snapshot)
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

  /** The route of what names nothing but this: a session's default. */
  async function routeFor(
    asked: RouteRequest,
    agent: string | undefined,
    directory: string | undefined,
  ): Promise<Route> {
    return routeOf(agent === undefined ? {} : { agent }, asked, { ...NO_FACTS, directory: directory ?? null })
  }

  return {
    admit,
    parse,
    admitParsed,
    admitToSession: async (...args: Parameters<typeof admitToSession>) =>
      withinBudget(await admitToSession(...args)),
    routeFor,
    readmit,
  }
}

function sessionOfParent(sessionID: string, taskID: string): TierlineError {
  return new TierlineError(
    'invalid_input',
    `Cannot accept the task: it would wait for the session "${sessionID}", which has ${taskID} above it`,
    { errors: [{ field: 'sessionID', message: 'is the session of a task above it', given: sessionID }] },
  )
}

function otherDirectory(given: string, directory: string | undefined, sessionID: string): TierlineError {
  return new TierlineError(
    'invalid_input',
    `Cannot use the directory "${given}": the session "${sessionID}" is in "${directory}"`,
    {
      errors: [
        {
          field: 'directory',
          message: 'contradicts "sessionID", whose session is elsewhere',
          given,
          ...(directory && { allowed: [directory] }),
        },
      ],
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
