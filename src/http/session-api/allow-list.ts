import type { PassedRequest } from '../ports.ts'

/** One operation of OpenCode's API that is passed on. `:name` is one segment of the path. */
export interface AllowedRoute {
  method: 'GET' | 'POST'
  path: string
  /** What is changed in the answer. `masked`: no secret leaves with it. */
  shape?: NonNullable<PassedRequest['shape']> | 'masked'
  /** Which server it goes to; else that of the session in the path, or of the directory. */
  to?: 'any'
  /** It is about no directory, so that none is checked where none is named. */
  ofServer?: true
  /** A query parameter that names a file, which must be inside the directory. */
  file?: string
}

/**
 * What is passed on. An allow list and not a deny list: OpenCode has 188 operations and gets new ones, some of
 * which spend money outside the queue, run commands, or change the server (docs/session-api.md).
 *
 * Not in it, since they are more than passed on: opening, changing and deleting a session, messages, abort, events.
 */
export const ALLOWED: readonly AllowedRoute[] = [
  { method: 'GET', path: '/session', shape: 'sessions' },
  { method: 'GET', path: '/session/status', shape: 'status' },
  { method: 'GET', path: '/session/:sessionID', shape: 'session' },
  { method: 'GET', path: '/session/:sessionID/children', shape: 'sessions' },
  { method: 'GET', path: '/session/:sessionID/message', shape: 'messages' },
  { method: 'GET', path: '/session/:sessionID/message/:messageID' },
  { method: 'GET', path: '/session/:sessionID/todo' },
  { method: 'GET', path: '/session/:sessionID/diff' },
  { method: 'POST', path: '/session/:sessionID/fork', shape: 'session' },
  { method: 'POST', path: '/session/:sessionID/revert', shape: 'session' },
  { method: 'POST', path: '/session/:sessionID/unrevert', shape: 'session' },
  { method: 'POST', path: '/session/:sessionID/permissions/:permissionID' },
  { method: 'GET', path: '/permission' },
  { method: 'POST', path: '/permission/:requestID/reply', to: 'any' },
  { method: 'GET', path: '/question' },
  { method: 'POST', path: '/question/:requestID/reply', to: 'any' },
  { method: 'POST', path: '/question/:requestID/reject', to: 'any' },
  { method: 'GET', path: '/agent', shape: 'masked' },
  { method: 'GET', path: '/command', shape: 'masked' },
  { method: 'GET', path: '/config', shape: 'masked' },
  { method: 'GET', path: '/config/providers', shape: 'masked' },
  { method: 'GET', path: '/provider', shape: 'masked' },
  { method: 'GET', path: '/path' },
  { method: 'GET', path: '/project' },
  { method: 'GET', path: '/project/current' },
  { method: 'GET', path: '/find' },
  { method: 'GET', path: '/find/file' },
  { method: 'GET', path: '/find/symbol' },
  { method: 'GET', path: '/file', file: 'path' },
  { method: 'GET', path: '/file/content', file: 'path' },
  { method: 'GET', path: '/file/status' },
  { method: 'GET', path: '/vcs' },
  { method: 'GET', path: '/vcs/status' },
  { method: 'GET', path: '/vcs/diff' },
  { method: 'GET', path: '/lsp' },
  { method: 'GET', path: '/formatter' },
  { method: 'GET', path: '/mcp', shape: 'masked' },
  { method: 'GET', path: '/global/health', ofServer: true },
]

/** First segments of the paths of OpenCode 1.18: what is there and not allowed is refused by name. */
export const OPENCODE_SEGMENTS = [
  'agent',
  'api',
  'auth',
  'command',
  'config',
  'event',
  'experimental',
  'file',
  'find',
  'formatter',
  'global',
  'instance',
  'log',
  'lsp',
  'mcp',
  'path',
  'permission',
  'project',
  'provider',
  'pty',
  'question',
  'session',
  'skill',
  'sync',
  'tui',
  'vcs',
] as const
