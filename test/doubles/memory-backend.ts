/**
 * A `SessionBackend` in memory: the double of tests that are not about OpenCode, and the no-op of the benchmarks.
 *
 * Prompts obey the same directives as the scripted provider (`test/provider/directives.ts`), so that
 * one conformance suite runs against both. A prompt without directives is answered at once.
 */
import type { CatalogSnapshot } from '../../src/catalog/catalog.ts'
import { TierlineError } from '../../src/errors.ts'
import type {
  ForwardRequest,
  OpenSession,
  SessionBackend,
  Turn,
  TurnEvent,
} from '../../src/sessions/backend.ts'
import { type ModelID, splitModelID } from '../../src/tasks/model-id.ts'
import { parseScript } from '../provider/directives.ts'
import { createHolds, type Holds } from '../provider/holds.ts'
import { createLedger, type Ledger } from '../provider/ledger.ts'
import { priceOf, SCRIPTED_MODELS } from '../provider/models.ts'
import { forwardInMemory } from './memory-forward.ts'
import { type MemoryTurn, startMemoryTurn } from './memory-turn.ts'

export interface MemoryBackend extends SessionBackend {
  /** What the model was asked and would bill. */
  readonly ledger: Ledger
  /** Stops at `@hold:NAME`. */
  readonly holds: Holds
  /** As opened, oldest first, with the ids of the messages they were sent. */
  readonly sessions: readonly MemorySession[]
  /** Every turn that was started or joined, as given. */
  readonly turns: readonly Turn[]
  /** What was passed on, in order. */
  readonly forwarded: readonly ForwardRequest[]
  /** Sessions that `abort` was called for, in order. */
  readonly aborts: readonly string[]
  /** Names of the worktrees there are; whatever lies below `/plain` is no repository. */
  readonly worktrees: ReadonlySet<string>
  /** Tells whoever follows the events this one. */
  say(event: object): void
  /** While away, everything throws `opencode_unavailable`. */
  setAway(away: boolean): void
  /** As if somebody sent a message again whose turn was aborted, not knowing that: it is answered anew. */
  revive(sessionID: string): void
  /** As if the server had lost its data: no session is known any more. */
  forgetSessions(): void
  /** As if the server was killed and started again: what runs is lost, until it is asked for again. */
  loseTurns(): void
}

export interface MemorySession extends OpenSession {
  sessionID: string
  createdAt: number
  messageIDs: string[]
  /** Of one that was opened by an OpenCode client. */
  parentID?: string | undefined
  metadata?: Record<string, unknown>
}

export interface MemoryBackendOptions {
  /** Default `memory`. */
  server?: string
  /** Answer of a prompt that says nothing else. Default `Done.` */
  text?: string
  /** In the catalog, and not there when it is asked. */
  refuses?: ModelID
  /** Default `/server`. */
  ownDirectory?: string
  /** Default: what the scripted provider sells, and the agents `build` and `plan`. */
  catalog?: CatalogSnapshot
}

/** What the scripted provider sells, as a catalog. */
export const MEMORY_CATALOG: CatalogSnapshot = {
  models: Object.entries(SCRIPTED_MODELS).map(([id, sold]) => ({
    model: id as ModelID,
    ...splitModelID(id as ModelID),
    name: id.split('/')[1]!,
    price: sold.cost.input > 0 ? priceOf(sold) : null,
    contextTokens: sold.limit.context,
    outputTokens: sold.limit.output,
    tools: sold.tools ?? true,
    active: true,
  })),
  defaultModel: 'acme/base',
  agents: ['build', 'plan'],
  subagents: ['explore'],
}

export function createMemoryBackend({
  server = 'memory',
  text = 'Done.',
  refuses,
  catalog = MEMORY_CATALOG,
  ownDirectory = '/server',
}: MemoryBackendOptions = {}): MemoryBackend {
  const ledger = createLedger()
  const holds = createHolds()
  const sessions: MemorySession[] = []
  const byID = new Map<string, MemorySession>()
  const turns: Turn[] = []
  const aborts: string[] = []
  const followers = new Set<(event: object) => void>()
  const forwarded: ForwardRequest[] = []
  // Unique over servers, as OpenCode's are.
  const nextSession = () => `ses_${server === 'memory' ? '' : server}${sessions.length + 1}`
  const running = new Map<string, MemoryTurn>()
  const worktrees = new Set<string>()
  let away = false

  function assertHere(): void {
    if (away) throw new TierlineError('opencode_unavailable', `Cannot reach "${server}": it is away`)
  }

  function refusal(turn: Turn): TurnEvent | undefined {
    const session = byID.get(turn.sessionID)
    if (!session) return failed(turn, 'outcome_uncertain', `Session not found: ${turn.sessionID}`)
    if (turn.model === refuses || !catalog.models.some(({ model }) => model === turn.model))
      return failed(turn, 'unknown_model', `Model not found: ${turn.model}.`)
    if (!catalog.agents.includes(turn.agent))
      return failed(turn, 'unknown_agent', `Agent not found: "${turn.agent}"`)
    return undefined
  }

  function join(turn: Turn): { played: MemoryTurn; isNew: boolean } {
    const key = `${turn.sessionID} ${turn.messageID}`
    const known = running.get(key)
    if (known) return { played: known, isNew: false }
    byID.get(turn.sessionID)?.messageIDs.push(turn.messageID)
    return { played: play(turn), isNew: true }
  }

  function play(turn: Turn): MemoryTurn {
    const prompt = turn.parts.map((part) => (part.type === 'text' ? part.text : '')).join('\n')
    const script = parseScript(prompt, text)
    const { rules = [] } = byID.get(turn.sessionID) ?? {}
    const played = startMemoryTurn({ turn, prompt, script, ledger, holds, rules })
    running.set(`${turn.sessionID} ${turn.messageID}`, played)
    return played
  }

  return {
    server,
    ledger,
    holds,
    sessions,
    turns,
    aborts,
    worktrees,
    forwarded,

    async openSession(request, signal) {
      signal.throwIfAborted()
      assertHere()
      const known = request.mayExist && sessions.find(({ taskID }) => taskID === request.taskID)
      if (known) return { sessionID: known.sessionID }
      const session = {
        ...request,
        sessionID: `ses_${sessions.length + 1}`,
        createdAt: Date.now(),
        messageIDs: [],
      }
      sessions.push(session)
      byID.set(session.sessionID, session)
      return { sessionID: session.sessionID }
    },

    async openedSince(sinceMs) {
      assertHere()
      return sessions.filter(({ createdAt }) => createdAt >= sinceMs)
    },

    async removeEmpty({ sessionID }) {
      assertHere()
      const session = byID.get(sessionID)
      if (session === undefined) return true
      if (session.messageIDs.length > 0) return false
      byID.delete(sessionID)
      sessions.splice(sessions.indexOf(session), 1)
      return true
    },

    async findSession(sessionID) {
      assertHere()
      const session = byID.get(sessionID)
      if (session === undefined) return undefined
      const { taskID, directory, parentID, metadata = { tierline: { taskID } } } = session
      return { sessionID, directory, parentID, metadata }
    },

    async answerTo({ sessionID }, messageID) {
      assertHere()
      return answerOf(running.get(`${sessionID} ${messageID}`), sessionID, messageID)
    },

    async forward(request) {
      assertHere()
      forwarded.push(request)
      const add = (created: Omit<MemorySession, 'sessionID' | 'messageIDs'>) => {
        const session = { ...created, sessionID: nextSession(), messageIDs: [] }
        sessions.push(session)
        byID.set(session.sessionID, session)
        return session
      }
      return forwardInMemory(request, { sessions, add, remove: (id) => byID.delete(id) })
    },

    async *events(from, signal) {
      const connected = { id: 'evt_1', type: 'server.connected', properties: {} }
      yield from === 'all' ? { payload: connected } : connected
      const said: object[] = []
      let wake = () => {}
      const hear = (event: object) => {
        said.push(event)
        wake()
      }
      followers.add(hear)
      signal.addEventListener('abort', () => wake())
      while (!signal.aborted) {
        yield* said.splice(0)
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
      followers.delete(hear)
    },

    async *runTurn(turn, signal) {
      signal.throwIfAborted()
      assertHere()
      turns.push(turn)
      const refused = refusal(turn)
      if (refused) {
        yield refused
        return
      }
      const { played, isNew } = join(turn)
      if (played.isLost()) played.resume('the server was restarted')
      yield* follow(played, isNew, turn.openAsks ?? [], signal, assertHere)
    },

    async abort({ sessionID }) {
      assertHere()
      aborts.push(sessionID)
      for (const messageID of byID.get(sessionID)?.messageIDs ?? [])
        running.get(`${sessionID} ${messageID}`)?.abort()
    },

    async spentOn({ sessionID, messageID }) {
      assertHere()
      return running.get(`${sessionID} ${messageID}`)?.spendings() ?? []
    },

    async answerAsk({ askID }, answer) {
      assertHere()
      return [...running.values()].some((played) => played.answer(askID, answer))
    },

    async running(refs) {
      assertHere()
      return refs.filter(({ sessionID, messageID }) => {
        const played = running.get(`${sessionID} ${messageID}`)
        return played !== undefined && !played.outcome() && !played.isLost()
      })
    },

    async openWorktree({ name, directory = ownDirectory }, signal) {
      signal.throwIfAborted()
      assertHere()
      if (directory.startsWith('/plain'))
        throw new TierlineError('not_a_git_repository', `Cannot work in a worktree of "${directory}"`)
      worktrees.add(name)
      const root = `/worktrees/${name}`
      return { root, directory: `${root}${directory}`, base: null }
    },

    async worktreeDiff({ root }, directory) {
      assertHere()
      return `diff of ${root} from ${directory}`
    },

    async removeWorktree({ name }) {
      assertHere()
      worktrees.delete(name)
    },

    async catalog() {
      assertHere()
      return catalog
    },

    async ownDirectory() {
      assertHere()
      return ownDirectory
    },

    async check() {
      assertHere()
    },

    async close() {
      for (const played of running.values()) played.lose()
    },

    say(event) {
      for (const hear of followers) hear(event)
    },

    setAway(next) {
      away = next
    },

    revive(sessionID) {
      for (const messageID of byID.get(sessionID)?.messageIDs ?? []) {
        const key = `${sessionID} ${messageID}`
        if (running.get(key)?.outcome()?.status !== 'aborted') continue
        running.delete(key)
        play(turns.findLast((turn) => turn.messageID === messageID)!)
      }
    },

    forgetSessions() {
      for (const played of running.values()) played.lose()
      byID.clear()
    },

    loseTurns() {
      for (const played of running.values()) played.lose()
    },
  }
}

/** Who joins late gets what has ended, then whatever comes; a part it did not see from its start stays blind. */
async function* follow(
  played: MemoryTurn,
  isNew: boolean,
  openAsks: readonly string[],
  signal: AbortSignal,
  assertHere: () => void,
): AsyncGenerator<TurnEvent> {
  let position = isNew ? 0 : played.log.length
  const blind = new Set<string>()
  if (!isNew) {
    yield* snapshot(played.log.slice(0, position), blind)
    const asks = played.asks()
    yield* asks
    for (const askID of openAsks)
      if (!asks.some((asked) => asked.askID === askID)) yield { type: 'ask-gone', askID }
  }
  while (true) {
    for (; position < played.log.length; position += 1) {
      signal.throwIfAborted()
      const event = played.log[position]!
      yield event.type === 'text' && blind.has(event.partID) ? { type: 'alive' } : event
    }
    if (played.outcome()) return
    await changed(played, position, signal)
    assertHere()
    if (played.isLost()) played.resume('the server was restarted')
  }
}

function* snapshot(log: readonly TurnEvent[], blind: Set<string>): Generator<TurnEvent> {
  const open = new Set<string>()
  for (const event of log) {
    if (event.type === 'text') open.add(event.partID)
    if (event.type === 'part-ended' || event.type === 'part-discarded') open.delete(event.partID)
    const isPast = ['text', 'part-lagging', 'provider-retry', 'turn-resumed', 'asked', 'ask-gone'].includes(
      event.type,
    )
    if (!isPast) yield event
  }
  for (const partID of open) {
    blind.add(partID)
    yield { type: 'part-lagging', partID }
  }
}

function changed(played: MemoryTurn, position: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const check = (): void => {
      if (!signal.aborted && played.log.length === position && !played.isLost()) return
      unwatch()
      signal.removeEventListener('abort', check)
      if (signal.aborted) reject(signal.reason)
      else resolve()
    }
    const unwatch = played.watch(check)
    signal.addEventListener('abort', check)
    check()
  })
}

function failed(
  turn: Turn,
  code: 'unknown_model' | 'unknown_agent' | 'outcome_uncertain',
  message: string,
): TurnEvent {
  const error = { code, message, retryable: false, httpStatus: undefined }
  const { model } = turn
  return {
    type: 'turn-ended',
    outcome: { status: 'failed', model, spendings: [], steps: 0, error },
  }
}

/** As OpenCode would show it. */
function answerOf(played: MemoryTurn | undefined, sessionID: string, messageID: string): object | undefined {
  const outcome = played?.outcome()
  if (outcome === undefined) return undefined
  const info = {
    id: `${messageID}_answer`,
    sessionID,
    role: 'assistant',
    parentID: messageID,
    ...splitModelID(outcome.model),
  }
  if (outcome.status === 'finished')
    return { info: { ...info, finish: outcome.finish }, parts: [{ type: 'text', text: outcome.text }] }
  const error =
    outcome.status === 'aborted'
      ? { name: 'MessageAbortedError', data: { message: 'Aborted' } }
      : { name: 'APIError', data: { message: outcome.error.message } }
  return { info: { ...info, error }, parts: [] }
}
