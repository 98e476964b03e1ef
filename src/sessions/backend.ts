/**
 * What tierline needs of a server that runs agent sessions.
 *
 * Written before its adapter (`opencode/`), so that another dialect of OpenCode, or a double in a
 * test, can take its place: all of them pass `test/sessions/backend-conformance.ts`.
 */
import type { Readable } from 'node:stream'
import type { CatalogSnapshot } from '../catalog/catalog.ts'
import type { AskAnswer, AskSubject } from '../tasks/ask.ts'
import type { AnyPart } from '../tasks/input.ts'
import type { ModelID } from '../tasks/model-id.ts'
import type { PermissionRule } from '../tasks/permissions.ts'
import type { Usage } from '../tasks/usage.ts'

export interface SessionBackend {
  /** Stable name, the one a checkpoint holds: `local`, `s1`. */
  readonly server: string

  /**
   * The session of this task: the oldest one whose metadata carries `taskID` exactly, else a new one.
   * With `mayExist: false` nothing is looked for (a task's first attempt), which saves a request.
   *
   * @throws {TierlineError} `opencode_unavailable` when no answer came: the session may exist then.
   */
  openSession(request: OpenSession, signal: AbortSignal): Promise<{ sessionID: string }>

  /**
   * Sessions opened for tasks from then on (epoch ms), in all directories; the newest thousand.
   *
   * @throws {TierlineError} `opencode_unavailable`
   */
  openedSince(sinceMs: number): Promise<OpenedSession[]>

  /**
   * Deletes a session in which nothing was ever asked; `false`: something was, and it stays. Safe on an unknown one.
   *
   * @throws {TierlineError} `opencode_unavailable`
   */
  removeEmpty(session: SessionRef): Promise<boolean>

  /**
   * What the server knows of a session; `undefined`: it has none such. @throws `opencode_unavailable` when the server
   * stays away for some seconds, as it does not while it is started again.
   */
  findSession(sessionID: string, signal?: AbortSignal): Promise<SessionFacts | undefined>

  /**
   * Sends one message and tells what comes of it until the turn is over; the last event is `turn-ended`.
   *
   * Idempotent on `messageID`: called again with the same turn it joins a running one, reads one that is
   * over (be it finished, failed or aborted), resumes a lost one, and pays once. A new paid try of the same
   * message needs another `messageID`. A model or agent that the server does not know ends the turn as
   * `failed`. Ending the iteration early stops listening and aborts nothing.
   *
   * @throws {TierlineError} `opencode_unavailable` when the server stays away longer than the backend's
   *   own patience.
   * @throws the reason of `signal`, at once when that aborts; this aborts nothing either.
   */
  runTurn(turn: Turn, signal: AbortSignal): AsyncIterable<TurnEvent>

  /**
   * Stops whatever the session runs, children too. Safe on an idle or unknown session. A turn that this
   * backend has not sent yet is not sent any more.
   *
   * @throws {TierlineError} `opencode_unavailable`
   * @throws the reason of `signal` when that aborts: nothing more is asked then, which might hit the next turn.
   */
  abort(session: SessionRef, signal?: AbortSignal): Promise<void>

  /**
   * What a turn has come to so far, by whomever it was sent: as the `spendings` of its outcome would say it if it was
   * over now. Sends nothing; empty when there is no such turn. @throws {TierlineError} `opencode_unavailable`.
   */
  spentOn(turn: TurnRef & Pick<Turn, 'model'>, signal: AbortSignal): Promise<readonly Spending[]>

  /**
   * Answers what a turn asked. `false`: it is not open any more.
   *
   * @throws {TierlineError} `opencode_unavailable`
   */
  answerAsk(ask: AskRef, answer: AskAnswer): Promise<boolean>

  /**
   * Of those turns, the ones that the server works on now; a session that goes on with something else does not
   * count. One request for each directory, and one for each session in which something runs.
   *
   * @throws {TierlineError} `opencode_unavailable`
   */
  running<Ref extends TurnRef>(turns: readonly Ref[]): Promise<Ref[]>

  /**
   * A working copy of the git repository that holds `directory`, from its last commit: what is not committed
   * stays behind. The one of this name if it is there already. Resolves when its files are.
   *
   * @throws {TierlineError} `not_a_git_repository`, `worktree_failed`, `opencode_unavailable`.
   */
  openWorktree(request: OpenWorktree, signal: AbortSignal): Promise<Worktree>

  /**
   * What was changed in it, as a patch: new files and commits too, ignored files not. Cut at about a MiB.
   *
   * @throws {TierlineError} `worktree_failed`, `opencode_unavailable`.
   */
  worktreeDiff(worktree: Worktree, directory: string | undefined): Promise<string>

  /** Removes it with its branch and all that is in it. Safe when it is gone. @throws `opencode_unavailable`. */
  removeWorktree(request: OpenWorktree): Promise<void>

  /**
   * The last answer to a message, `{ info, parts }` as the server has it: what it cost and which model gave it.
   * `undefined`: there is none, or the session is gone. @throws {TierlineError} `opencode_unavailable`.
   */
  answerTo(session: SessionRef, messageID: string, signal: AbortSignal): Promise<object | undefined>

  /**
   * Asks the server in its own words, and nothing is understood of the answer; whether that is allowed is the
   * caller's to know. A server that is just being started again is waited for some seconds; no request is sent twice
   * that may have been carried out and is no GET. @throws {TierlineError} `opencode_unavailable`, the reason of
   * `signal` when that aborts.
   */
  forward(request: ForwardRequest, signal: AbortSignal): Promise<ForwardedAnswer>

  /** The server's events as they are, until it ends them or `signal` aborts. @throws as `forward`. */
  events(from: EventsFrom, signal: AbortSignal): AsyncIterable<object>

  /** Models, prices and agents this server offers in a directory; `undefined`: its own working directory. */
  catalog(directory: string | undefined, signal?: AbortSignal): Promise<CatalogSnapshot>

  /**
   * The directory it works in where none is named, absolute: where it was started. A server that is just being started
   * again is waited for some seconds. @throws {TierlineError} `opencode_unavailable`.
   */
  ownDirectory(): Promise<string>

  /** Resolves when the server answers. @throws {TierlineError} `opencode_unavailable`. */
  check(signal?: AbortSignal): Promise<void>

  close(): Promise<void>
}

export interface SessionRef {
  sessionID: string
  /** Absolute; `undefined`: the server's own working directory. */
  directory: string | undefined
}

export interface OpenedSession extends SessionRef {
  /** As `openSession` was told. */
  taskID: string
  createdAt: number
}

export interface SessionFacts extends SessionRef {
  parentID: string | undefined
  /** As its creator wrote it. */
  metadata: Readonly<Record<string, unknown>>
}

export interface AskRef {
  askID: string
  kind: AskSubject['kind']
  /** How many questions it has. */
  questions: number
  /** Of the session that runs the turn. */
  directory: string | undefined
}

export interface TurnRef extends SessionRef {
  messageID: string
}

export interface OpenWorktree {
  /** Small letters, digits and `-`; unique on the server. */
  name: string
  /** What is copied; `undefined`: the server's own working directory. */
  directory: string | undefined
}

export interface Worktree {
  root: string
  /** The same place in the copy as what was copied is in its repository. */
  directory: string
  /** The commit it began at; `null`: its files are on another disk than this process. */
  base: string | null
}

/** Those of a directory (`undefined`: the server's own), or `all`, each in an envelope that says of which it is. */
export type EventsFrom = { directory: string | undefined } | 'all'

export interface ForwardRequest {
  method: string
  /** Encoded, with its query: `/session/ses_1?directory=%2Fwork`. */
  path: string
  /** JSON. */
  body?: string | undefined
  /** True: the answer is a stream of events, which may be silent. */
  isStream?: boolean
}

export interface ForwardedAnswer {
  status: number
  /** Those that mean something to a client. */
  headers: Readonly<Record<string, string>>
  isJson: boolean
  /** Read this or call `json`, not both. */
  body: Readable
  json(): Promise<unknown>
}

export interface OpenSession {
  taskID: string
  /** Never empty: OpenCode pays for a title of its own otherwise. */
  title: string
  model: ModelID
  directory: string | undefined
  mayExist: boolean
  /**
   * Added to what the server and the agent say; the last rule that fits decides. What would be asked is denied to
   * the children of the session. Without a rule for it there are no questions.
   */
  rules?: readonly PermissionRule[]
}

export interface Turn extends TurnRef {
  /** `msg_…`, derived from task, message index and try: the same after a take-over. */
  messageID: string
  model: ModelID
  agent: string
  system: string | undefined
  variant?: string
  /** True: a client of the session answers permissions and questions; else they are turned down. */
  isAttended?: boolean
  /** Instead of the permissions of the session, for this message. */
  tools?: Readonly<Record<string, boolean>>
  /** Asks of this turn that a predecessor was told of: those that are closed by now are told as `ask-gone`. */
  openAsks?: readonly string[]
  /** Each with a fixed id derived from `messageID`: a repeat without them doubles the prompt. */
  parts: readonly (AnyPart & { id: string })[]
}

/**
 * What happens in a turn, in order. All text of a part is keyed by `partID`; `offset` counts UTF-16 units
 * from the start of the part, and is where the text before it ended. The `text` of a part put together is
 * that of its `part-ended`; or there is none of it, and `part-ended` alone has it.
 *
 * A part whose start this reader did not see is *blind*: it gives one `part-lagging`, no `text`, and its
 * whole text in `part-ended`. A part that goes blind later (the connection broke) gives the rest of its
 * text before its end. A part that ended otherwise than it was shown is discarded (`rewrite`) and told anew.
 * A discard may name a part that this reader was never shown: its predecessor may have been.
 */
export type TurnEvent =
  | { type: 'text'; kind: TextKind; partID: string; offset: number; text: string }
  | { type: 'part-ended'; kind: TextKind; partID: string; text: string }
  /** What was shown of this part belongs to no answer. */
  | { type: 'part-discarded'; partID: string; reason: 'retry' | 'resume' | 'rewrite' }
  | { type: 'part-lagging'; partID: string }
  | { type: 'tool-called'; callID: string; tool: string; input: unknown }
  /** `title` of an error is what went wrong. A tool that died with its server is never finished. */
  | { type: 'tool-finished'; callID: string; status: 'completed' | 'error'; title: string }
  /** The turn, or a child of it, waits for an answer. Told once by each reader. */
  | { type: 'asked'; askID: string; always: readonly string[]; subject: AskSubject }
  /** Answered by somebody, or the server has forgotten it. */
  | { type: 'ask-gone'; askID: string; reply?: 'once' | 'always' | 'reject' }
  /** The server tries its provider again by itself. `nextAt` is epoch milliseconds. */
  | { type: 'provider-retry'; attempt: number; nextAt: number; message: string }
  /** The server had lost the turn (it was restarted) and was asked to go on with it. */
  | { type: 'turn-resumed'; reason: string }
  /**
   * What has become known of the turn's money since the last such event, that of its children included. After each
   * step of a model, before the `step` of the turn itself; what failed or was cut off, once that is known.
   */
  | { type: 'spent'; spendings: readonly Spending[]; goesOn: boolean }
  /**
   * The turn's model has ended a step. `steps`: so far, those of children left out. `goesOn`: the server will ask
   * for another one, unless it is kept from that.
   */
  | { type: 'step'; steps: number; goesOn: boolean }
  /** The model speaks, and nothing of it can be told yet: its part is blind. Now and then. */
  | { type: 'alive' }
  | { type: 'turn-ended'; outcome: TurnOutcome }

/** What one request to a model came to. */
export interface Spending {
  /** The same for the same request, whoever tells it: told again, it replaces what was told before. */
  id: string
  model: ModelID
  usage: Usage
  /** By the server's own prices, rounded to whole micro-USD; 0 where it does not know them. */
  costMicroUsd: number
  /**
   * True: the request failed or was cut off after it began, the server counts nothing for it, and its provider may
   * bill it. `usage` is then a guess, as if nothing was read from a cache.
   */
  isEstimated: boolean
}

export type TextKind = 'text' | 'reasoning'

/** `text`: the text parts of the turn as `joinAnswer` puts them together, reasoning and summaries left out. */
export type TurnOutcome = {
  /** The model that answered, as the server reports it; the one asked for when nothing answered. */
  model: ModelID
  /** All there are of the turn, those that were told included. */
  spendings: readonly Spending[]
  /** Steps of the model in this turn. */
  steps: number
} & (
  | { status: 'finished'; finish: string; text: string }
  | { status: 'aborted' }
  | { status: 'failed'; error: TurnError }
)

export interface TurnError {
  code:
    | 'provider_error'
    | 'provider_auth'
    | 'context_overflow'
    | 'turn_failed'
    | 'unknown_model'
    | 'unknown_agent'
    /** The server knows nothing of the session: what became of the message nobody can say. */
    | 'outcome_uncertain'
  /** OpenCode's own words, without its stack trace. */
  message: string
  retryable: boolean
  /** What the provider answered, where it did. */
  httpStatus: number | undefined
  /** Where no status tells what was wrong with the provider. */
  cause?: 'network' | 'timeout' | 'overloaded' | 'malformed'
  /** What the provider asked to wait (`Retry-After`), counted from its answer. */
  retryAfterMs?: number
}
