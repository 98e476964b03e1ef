/** One tierline server over HTTP: requests out, JSON or a `TierlineError` back. Nothing here needs Node. */
import ky, { HTTPError, isNetworkError, isTimeoutError, type Options } from 'ky'
import { TierlineError } from '../errors.ts'
import { errorOfProblem, retryAfterMsOf } from './problem-error.ts'

const ANSWER_TIMEOUT_MS = 30_000
const REPEATS = 2
const FIRST_REPEAT_MS = 100
/** Longer than this and the caller should decide; the error says how long. */
const MAX_RETRY_AFTER_MS = 5_000

export interface ApiOptions {
  /** Without a slash at its end. */
  url: string
  apiKey: string | undefined
  fetch: typeof fetch | undefined
}

type Repeat = 'always' | 'keyed' | 'refused' | 'never'

export interface ApiRequest {
  method?: 'get' | 'post' | 'delete'
  query?: URLSearchParams
  json?: unknown
  accept?: string
  signal?: AbortSignal | undefined
  /** To the first byte of the answer. */
  timeoutMs?: number
  /**
   * `always`: after a lost connection, too (default of `get`). `keyed`: the same, but not when the server
   * has no room (429): for what carries an idempotency key. `refused`: only where the server said that it
   * did nothing and when to come again. `never`: default of the others.
   */
  repeat?: Repeat
  /** Answers that are no errors, beside 2xx. */
  allowStatus?: number
}

export interface Api {
  /** @throws {TierlineError} what the server said, `server_unreachable` or `unexpected_answer`. */
  send(path: string, request?: ApiRequest): Promise<Response>
  /** Sends and parses. @throws {TierlineError} as `send`. */
  json<Body>(path: string, request?: ApiRequest): Promise<Body>
}

/** See `Api`. Holds no connection of its own. */
export function createApi({ url, apiKey, fetch }: ApiOptions): Api {
  const http = ky.create({
    prefix: url,
    ...(fetch && { fetch: fetch as NonNullable<Options['fetch']> }),
    ...(apiKey !== undefined && { headers: { authorization: `Bearer ${apiKey}` } }),
  })

  async function send(path: string, request: ApiRequest = {}): Promise<Response> {
    try {
      return await http(path, kyOptions(request))
    } catch (error) {
      if (request.signal?.aborted) throw request.signal.reason
      throw translate(error, url)
    }
  }

  async function json<Body>(path: string, request: ApiRequest = {}): Promise<Body> {
    const response = await send(path, request)
    let text: string
    try {
      text = await response.text()
    } catch (error) {
      if (request.signal?.aborted) throw request.signal.reason
      throw unreachable(url, 'the answer broke off', error)
    }
    try {
      return JSON.parse(text) as Body
    } catch (cause) {
      throw new TierlineError(
        'unexpected_answer',
        `Cannot use the answer of "${url}": it is not JSON, so it may not be tierline that answers there`,
        { httpStatus: response.status, cause },
      )
    }
  }

  return { send, json }
}

function kyOptions(request: ApiRequest): Options {
  const { method = 'get', query, json, accept = 'application/json', signal, allowStatus } = request
  const repeat = request.repeat ?? (method === 'get' ? 'always' : 'never')
  return {
    method,
    headers: { accept },
    timeout: request.timeoutMs ?? ANSWER_TIMEOUT_MS,
    ...(query && { searchParams: query }),
    ...(json !== undefined && { json }),
    ...(signal && { signal }),
    ...(allowStatus !== undefined && { throwHttpErrors: (status: number) => status !== allowStatus }),
    retry: {
      limit: repeat === 'never' ? 0 : REPEATS,
      methods: [method],
      statusCodes: REPEATED[repeat],
      afterStatusCodes: [429, 503],
      delay: (count) => FIRST_REPEAT_MS * 4 ** (count - 1),
      jitter: true,
      shouldRetry: ({ error }) => (mayRepeat(error, repeat) ? undefined : false),
    },
  }
}

const REPEATED: Record<Repeat, number[]> = {
  always: [429, 502, 503, 504],
  keyed: [502, 503, 504],
  refused: [429, 503],
  never: [],
}

/** `undefined` in ky means: by its own rules, which the status lists above narrow. */
function mayRepeat(error: Error, repeat: Repeat): boolean {
  const afterLoss = repeat === 'always' || repeat === 'keyed'
  if (!(error instanceof HTTPError)) return afterLoss
  const retryAfterMs = retryAfterMsOf(error.response.headers, Date.now())
  if (retryAfterMs === undefined) return afterLoss
  return retryAfterMs <= MAX_RETRY_AFTER_MS
}

function translate(error: unknown, url: string): TierlineError {
  if (error instanceof HTTPError) {
    const { status, headers } = error.response
    const retryAfterMs = retryAfterMsOf(headers, Date.now())
    return errorOfProblem(error.data, { status, ...(retryAfterMs !== undefined && { retryAfterMs }) })
  }
  if (isTimeoutError(error)) return unreachable(url, 'no answer in time', error)
  return unreachable(url, isNetworkError(error) ? reasonOf(error) : String(error), error)
}

/** The connection to the server failed: it may be away, or something between. */
export function unreachable(url: string, reason: string, cause?: unknown): TierlineError {
  return new TierlineError('server_unreachable', `Cannot reach tierline at "${url}": ${reason}`, { cause })
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused, nothing listens there',
  ECONNRESET: 'connection reset',
  ENOTFOUND: 'the host is not known',
  EAI_AGAIN: 'the host is not known',
  ETIMEDOUT: 'no answer in time',
  UND_ERR_CONNECT_TIMEOUT: 'no answer in time',
  UND_ERR_SOCKET: 'connection closed',
}

/** Node tells the reason as a `code` somewhere in the chain of causes; a browser tells none. */
function reasonOf(error: unknown): string {
  let deepest = 'connection failed'
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    const code = (at as { code?: unknown }).code
    if (typeof code === 'string') return REASONS[code] ?? code
    deepest = at.message
  }
  return deepest
}
