/** The requests tierline makes of one OpenCode server, checked at the border. Nothing here retries. */
import ky, { type KyInstance } from 'ky'
import type { z } from 'zod'
import { TierlineError } from '../../errors.ts'
import type { PermissionRule } from '../../tasks/permissions.ts'
import { unlessAborted } from '../unless-aborted.ts'
import { basicAuth } from './basic-auth.ts'
import { OpenCodeRefusal } from './refusal.ts'
import {
  Agents,
  Asks,
  Branches,
  Changes,
  Config,
  Created,
  CreatedWorktree,
  MessageList,
  type Messages,
  Paths,
  Providers,
  RawMessages,
  SessionInfo,
  SessionList,
  Statuses,
  WorktreeList,
} from './wire.ts'

const SECOND = 1_000
// A server with 300 streams stalls for eleven seconds and is well (docs/opencode.md).
const ANSWER_TIMEOUT_MS = 30 * SECOND
const HEALTH_TIMEOUT_MS = 3 * SECOND

export interface OpenCodeAddress {
  /** `http://127.0.0.1:4096` */
  url: string
  username: string
  /** `undefined`: an open server. */
  password: string | undefined
}

export interface PromptBody {
  messageID: string
  model: { providerID: string; modelID: string }
  agent: string
  system?: string
  variant?: string
  tools?: Readonly<Record<string, boolean>>
  parts: readonly object[]
}

export interface SessionBody {
  title: string
  model: { providerID: string; id: string }
  metadata: { tierline: { taskID: string } }
  permission: readonly PermissionRule[]
}

type Directory = string | undefined

/**
 * Every method throws `opencode_unavailable` when no answer came, an `OpenCodeRefusal` when the answer
 * was an error, and the reason of `signal` when that aborted.
 */
export interface OpenCodeHttp {
  health(signal?: AbortSignal): Promise<void>
  createSession(directory: Directory, body: SessionBody, signal: AbortSignal): Promise<{ id: string }>
  /** Root sessions whose title holds `text`, newest first. */
  searchSessions(directory: Directory, text: string, signal: AbortSignal): Promise<SessionInfo[]>
  /** Of all directories, updated since then, newest first. `search`: part of the title. */
  sessionsSince(start: number, search: string): Promise<SessionInfo[]>
  removeSession(sessionID: string, directory: Directory): Promise<void>
  session(
    sessionID: string,
    directory: Directory,
    signal?: AbortSignal,
    timeoutMs?: number,
  ): Promise<SessionInfo>
  /** All of the session, oldest first. */
  messages(sessionID: string, directory: Directory, signal: AbortSignal): Promise<Messages>
  /** The newest of the session, oldest first, whole as they are. */
  rawMessages(
    sessionID: string,
    directory: Directory,
    limit: number,
    signal: AbortSignal,
  ): Promise<RawMessages>
  /** Sessions that do something now; one that is not in it is idle, or was asked just now. */
  statuses(directory: Directory, signal: AbortSignal): Promise<Statuses>
  /** Returns when the server has taken the message, not when it has answered it. */
  prompt(sessionID: string, directory: Directory, body: PromptBody, signal: AbortSignal): Promise<void>
  abort(sessionID: string, directory: Directory, signal?: AbortSignal): Promise<void>
  asks(kind: 'permission' | 'question', directory: Directory, signal: AbortSignal): Promise<Asks>
  replyPermission(
    id: string,
    directory: Directory,
    reply: 'once' | 'always' | 'reject',
    message?: string,
  ): Promise<void>
  answerQuestion(id: string, directory: Directory, answers: string[][]): Promise<void>
  providers(directory: Directory, signal?: AbortSignal): Promise<Providers>
  agents(directory: Directory, signal?: AbortSignal): Promise<Agents>
  config(directory: Directory, signal?: AbortSignal): Promise<Config>
  worktrees(directory: Directory, signal: AbortSignal): Promise<string[]>
  /** Answers before the files are there. A name that is taken becomes another one. */
  createWorktree(directory: Directory, name: string, signal: AbortSignal): Promise<{ directory: string }>
  removeWorktree(directory: Directory, root: string, signal: AbortSignal): Promise<void>
  paths(directory: Directory, signal: AbortSignal): Promise<{ worktree: string; directory: string }>
  /** How many files differ from the last commit, new ones included. */
  changes(directory: Directory, signal: AbortSignal): Promise<number>
  /** One patch per file, against the last commit or where the default branch was left. */
  patches(directory: Directory, mode: 'git' | 'branch', signal: AbortSignal): Promise<string[]>
  branches(directory: Directory, signal: AbortSignal): Promise<z.output<typeof Branches>>
  /** Bytes of server-sent events; the body never ends by itself. */
  events(directory: Directory, signal: AbortSignal): Promise<ReadableStream<Uint8Array>>
}

interface Call {
  method?: 'get' | 'post' | 'delete'
  directory?: Directory
  query?: Record<string, string>
  json?: unknown
  signal?: AbortSignal | undefined
  timeoutMs?: number | false
}

export function createOpenCodeHttp({ url, username, password }: OpenCodeAddress): OpenCodeHttp {
  const client: KyInstance = ky.create({
    prefix: url,
    retry: 0,
    throwHttpErrors: false,
    headers: password === undefined ? {} : { authorization: basicAuth(username, password) },
  })

  async function call(path: string, request: Call = {}): Promise<Response> {
    const { method = 'get', directory, query, json, signal, timeoutMs = ANSWER_TIMEOUT_MS } = request
    const response = await answered(path, signal, () =>
      client(path, {
        method,
        timeout: timeoutMs,
        searchParams: { ...(directory !== undefined && { directory }), ...query },
        ...(json !== undefined && { json }),
        ...(signal && { signal }),
      }),
    )
    if (response.ok) return response
    throw await OpenCodeRefusal.from(response, path)
  }

  async function read<T>(path: string, schema: z.ZodType<T>, request?: Call): Promise<T> {
    const response = await call(path, request)
    const body = await answered(path, request?.signal, () => response.json())
    const parsed = schema.safeParse(body)
    if (parsed.success) return parsed.data
    const { path: at, message } = parsed.error.issues[0]!
    throw new OpenCodeRefusal(502, `/${path} answered something else at "${at.join('.')}": ${message}`)
  }

  async function post(
    path: string,
    directory: Directory,
    json?: unknown,
    signal?: AbortSignal,
  ): Promise<void> {
    const response = await call(path, { method: 'post', directory, json, signal })
    await response.body?.cancel()
  }

  async function answered<T>(
    path: string,
    signal: AbortSignal | undefined,
    ask: () => Promise<T>,
  ): Promise<T> {
    try {
      return await (signal ? unlessAborted(signal, ask()) : ask())
    } catch (error) {
      signal?.throwIfAborted()
      throw away(url, `/${path}`, error)
    }
  }

  return {
    async health(signal) {
      const response = await call('global/health', { signal, timeoutMs: HEALTH_TIMEOUT_MS })
      await response.body?.cancel()
    },
    createSession: (directory, json, signal) =>
      read('session', Created, { method: 'post', directory, json, signal }),
    searchSessions: (directory, search, signal) =>
      read('session', SessionList, { directory, query: { roots: 'true', limit: '1000', search }, signal }),
    sessionsSince: (start, search) =>
      read('experimental/session', SessionList, {
        query: { roots: 'true', limit: '1000', start: String(start), search },
      }),
    async removeSession(id, directory) {
      const response = await call(`session/${id}`, { method: 'delete', directory })
      await response.body?.cancel()
    },
    session: (id, directory, signal, timeoutMs = ANSWER_TIMEOUT_MS) =>
      read(`session/${id}`, SessionInfo, { directory, signal, timeoutMs }),
    messages: (id, directory, signal) => read(`session/${id}/message`, MessageList, { directory, signal }),
    rawMessages: (id, directory, limit, signal) =>
      read(`session/${id}/message`, RawMessages, { directory, query: { limit: String(limit) }, signal }),
    statuses: (directory, signal) => read('session/status', Statuses, { directory, signal }),
    prompt: (id, directory, json, signal) => post(`session/${id}/prompt_async`, directory, json, signal),
    abort: (id, directory, signal) => post(`session/${id}/abort`, directory, undefined, signal),
    asks: (kind, directory, signal) => read(kind, Asks, { directory, signal }),
    replyPermission: (id, directory, reply, message) =>
      post(`permission/${id}/reply`, directory, { reply, message }),
    answerQuestion: (id, directory, answers) => post(`question/${id}/reply`, directory, { answers }),
    providers: (directory, signal) => read('config/providers', Providers, { directory, signal }),
    agents: (directory, signal) => read('agent', Agents, { directory, signal }),
    config: (directory, signal) => read('config', Config, { directory, signal }),
    worktrees: (directory, signal) => read('experimental/worktree', WorktreeList, { directory, signal }),
    createWorktree: (directory, name, signal) =>
      read('experimental/worktree', CreatedWorktree, { method: 'post', directory, json: { name }, signal }),
    async removeWorktree(directory, root, signal) {
      const json = { directory: root }
      const response = await call('experimental/worktree', { method: 'delete', directory, json, signal })
      await response.body?.cancel()
    },
    paths: (directory, signal) => read('path', Paths, { directory, signal }),
    changes: async (directory, signal) => (await read('vcs/status', Changes, { directory, signal })).length,
    async patches(directory, mode, signal) {
      const files = await read('vcs/diff', Changes, { directory, query: { mode }, signal })
      return files.map(({ patch }) => patch)
    },
    branches: (directory, signal) => read('vcs', Branches, { directory, signal }),
    async events(directory, signal) {
      const { body } = await call('event', { directory, signal, timeoutMs: false })
      if (!body) throw new OpenCodeRefusal(502, '/event answered nothing')
      return body
    },
  }
}

function away(url: string, path: string, error: unknown): TierlineError {
  const cause = rootOf(error)
  const { host } = new URL(url)
  return new TierlineError('opencode_unavailable', `Cannot ask OpenCode "${host}${path}": ${cause}`, {
    cause: error,
  })
}

/** `connect ECONNREFUSED …` rather than `fetch failed`. */
function rootOf(error: unknown): string {
  let root = error
  while (root instanceof Error && root.cause instanceof Error) root = root.cause
  return root instanceof Error ? root.message || root.name : String(root)
}
