/** Turns as the tests of backends send them, and what is heard of each. */
import { randomUUID } from 'node:crypto'
import type { AskRef, SessionBackend, Turn, TurnEvent, TurnOutcome } from '../../src/sessions/backend.ts'
import type { ModelID } from '../../src/tasks/model-id.ts'
import type { PermissionRule } from '../../src/tasks/permissions.ts'
import type { Stage } from './backend-conformance.ts'

export const NEVER = new AbortController().signal

export function textsIn(events: readonly TurnEvent[]): number {
  return events.filter(({ type }) => type === 'text').length
}

export function newTaskID(): string {
  return `tsk_${randomUUID()}`
}

export async function newSession(
  backend: SessionBackend,
  {
    taskID = newTaskID(),
    mayExist = false,
    directory,
    rules = [],
  }: { taskID?: string; mayExist?: boolean; directory?: string; rules?: readonly PermissionRule[] } = {},
): Promise<string> {
  const request = {
    taskID,
    title: 'conformance',
    model: 'acme/mini',
    directory,
    mayExist,
    rules,
  } as const
  return (await backend.openSession(request, NEVER)).sessionID
}

export function turnOf(sessionID: string, text: string, overrides: Partial<Turn> = {}): Turn {
  const id = randomUUID()
  return {
    sessionID,
    directory: undefined,
    messageID: `msg_${id}`,
    model: 'acme/mini' as ModelID,
    agent: 'build',
    system: undefined,
    parts: [{ type: 'text', id: `prt_${id}`, text }],
    ...overrides,
  }
}

/** In a new session of this stage; `NAME` in the prompt becomes a hold of this turn alone. */
export async function newTurn(
  { backend }: Pick<Stage, 'backend'>,
  prompt: string,
  overrides: Partial<Turn> = {},
  rules: readonly PermissionRule[] = [],
) {
  const hold = `hold-${randomUUID()}`
  const taskID = newTaskID()
  const marker = taskID.replace('tsk_', 'task-')
  const sessionID = await newSession(backend, { taskID, rules })
  const text = `#${marker}\n${prompt.replace('NAME', hold)}`
  return { hold, marker, turn: turnOf(sessionID, text, overrides) }
}

/** Another message of the same session. */
export function next({ sessionID }: Turn, text: string, overrides: Partial<Turn> = {}): Turn {
  return turnOf(sessionID, text, overrides)
}

export async function run(
  backend: SessionBackend,
  turn: Turn,
  signal: AbortSignal = NEVER,
): Promise<{ events: TurnEvent[]; outcome: TurnOutcome }> {
  const { events, outcome } = listen(backend, turn, signal)
  return { outcome: await outcome, events }
}

type Asked = Extract<TurnEvent, { type: 'asked' }>

export function refOf({ askID, subject }: Asked): AskRef {
  return { askID, kind: subject.kind, questions: subject.questions.length, directory: undefined }
}

export interface Listening {
  /** Once it asks something. */
  asked(): Promise<Asked>
  /** Grows while the turn runs. */
  events: TurnEvent[]
  outcome: Promise<TurnOutcome>
  /** Resolves when what was heard so far is as it should be; rejects when the turn ends before. */
  heard(isEnough: (events: readonly TurnEvent[]) => boolean): Promise<void>
}

export function listen(backend: SessionBackend, turn: Turn, signal: AbortSignal = NEVER): Listening {
  const events: TurnEvent[] = []
  const checks = new Set<() => void>()
  const outcome = (async () => {
    for await (const event of backend.runTurn(turn, signal)) {
      events.push(event)
      for (const check of [...checks]) check()
    }
    const last = events.at(-1)
    if (last?.type !== 'turn-ended') throw new Error(`The turn did not end: ${JSON.stringify(events)}`)
    return last.outcome
  })()
  outcome.catch(() => undefined)
  const listening: Listening = {
    events,
    outcome,
    async asked() {
      const isAsked = (event: TurnEvent): event is Asked => event.type === 'asked'
      await listening.heard((heard) => heard.some(isAsked))
      return events.find(isAsked)!
    },
    heard(isEnough) {
      return new Promise((resolve, reject) => {
        const check = (): void => {
          if (!isEnough(events)) return
          checks.delete(check)
          resolve()
        }
        checks.add(check)
        check()
        outcome.then(() => reject(new Error(`Not heard: ${JSON.stringify(events)}`)), reject)
      })
    },
  }
  return listening
}
