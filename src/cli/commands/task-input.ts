import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import type { TaskInput } from '../../client/index.ts'
import { TierlineError } from '../../errors.ts'

/** The flags that say what a task is. */
export interface InputFlags {
  type?: string
  tier?: string
  model?: string
  dir?: string
  /** The same as `dir`. */
  directory?: string
  file?: string
  message?: readonly string[]
  session?: string
  parent?: string
  isolation?: string
  title?: string
  agent?: string
  priority?: number
  /** Milliseconds. */
  delay?: number
  /** Milliseconds. */
  queueTimeout?: number
  timeout?: number
  /** USD. */
  maxCost?: number
  metadata?: Record<string, string>
  idempotencyKey?: string
  permission?: TaskInput['permissions']
}

/**
 * The task that arguments and flags describe; their paths are relative to `from`. Whether its names exist is the
 * server's to say.
 *
 * @throws {TierlineError} `invalid_input` when there is no prompt, or two.
 */
export async function readTaskInput(
  prompt: string | undefined,
  flags: InputFlags,
  from: string,
): Promise<TaskInput> {
  const {
    directory,
    dir = directory,
    file,
    message = [],
    delay,
    queueTimeout,
    timeout,
    maxCost,
    type,
    tier,
    model,
    session,
    parent,
    isolation,
    title,
    agent,
    priority,
    metadata,
    idempotencyKey,
    permission,
  } = flags
  if (prompt !== undefined && file !== undefined)
    throw wrongPrompt('a prompt and --file are given, one of them is enough')
  const first = await readFirst(prompt, file, message, from)
  const [only, ...more] = [...(first === undefined ? [] : [first]), ...message]
  if (only === undefined)
    throw wrongPrompt('no prompt is given; write it as an argument, pipe it in, or name a file with --file')
  const input = {
    type,
    tier,
    // Checked by the server, which knows what it may be.
    model: model as TaskInput['model'],
    ...(more.length === 0 ? { prompt: only } : { messages: [only, ...more].map((text) => ({ text })) }),
    directory: dir === undefined ? undefined : resolve(from, dir),
    sessionID: session,
    // Checked by the server, too.
    isolation: isolation as TaskInput['isolation'],
    parentTaskID: parent,
    title,
    agent,
    priority,
    delayMs: delay,
    queueTimeoutMs: queueTimeout,
    timeoutMs: timeout,
    maxCostUsd: maxCost,
    metadata,
    idempotencyKey,
    permissions: permission,
  }
  return Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined)) as TaskInput
}

/** Nothing is named and something is piped in: that is it. */
async function readFirst(
  prompt: string | undefined,
  file: string | undefined,
  message: readonly string[],
  from: string,
): Promise<string | undefined> {
  if (file !== undefined) return readPrompt(file, from)
  if (prompt === '-') return text(process.stdin)
  if (prompt !== undefined || message.length > 0 || process.stdin.isTTY) return prompt
  const piped = await text(process.stdin)
  return piped.trim() === '' ? undefined : piped
}

/** `-` is stdin. */
async function readPrompt(path: string, from: string): Promise<string> {
  if (path === '-') return text(process.stdin)
  try {
    return await readFile(resolve(from, path), 'utf8')
  } catch (cause) {
    throw new TierlineError(
      'invalid_input',
      `Cannot read the prompt from "${path}": ${(cause as Error).message}`,
      {
        errors: [{ field: '--file', message: 'must name a file that can be read', given: path }],
        cause,
      },
    )
  }
}

function wrongPrompt(what: string): TierlineError {
  return new TierlineError('invalid_input', `Cannot submit: ${what}`, {
    errors: [{ field: 'prompt', message: what }],
  })
}
