/**
 * A process of the benchmark's own, so that a client does not eat the time of the server it measures.
 *
 * It is asked by name and answers once; a file in `processes/` says what it can be asked.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { allocateYoung } from '../src/runtime/allocate-young.ts'
import { ROLE_NODE_ARGS } from '../src/runtime/child-role.ts'

/** What a process can be asked: name → what it does with the question. */
// biome-ignore lint/suspicious/noExplicitAny: each handler has a question of its own.
export type Handlers = Record<string, (question: any) => unknown>

export interface BenchProcess<H extends Handlers> {
  /** Rejects with what the handler threw, and when the process ends. */
  ask<Name extends keyof H & string>(
    name: Name,
    question: Parameters<H[Name]>[0],
  ): Promise<Awaited<ReturnType<H[Name]>>>
  /** Resolves when it has closed what it opened and is gone. */
  stop(): Promise<void>
}

interface Question {
  id: number
  name: string
  question: unknown
}

type Answer = { id: number; answer: unknown } | { id: number; error: string }

/** `name` is that of a file in `processes/`. Node gets the same arguments as a role of `up`. */
export function startProcess<H extends Handlers>(name: string): BenchProcess<H> {
  const child = fork(new URL(`./processes/${name}.ts`, import.meta.url), {
    execArgv: ROLE_NODE_ARGS,
  })
  const waiting = new Map<number, PromiseWithResolvers<unknown>>()
  let asked = 0
  child.on('message', (answer: Answer) => {
    const asking = waiting.get(answer.id)
    waiting.delete(answer.id)
    if ('error' in answer) asking?.reject(new Error(`${name}: ${answer.error}`))
    else asking?.resolve(answer.answer)
  })
  const gone = once(child, 'exit').then(() => {
    for (const { reject } of waiting.values()) reject(new Error(`The process "${name}" has ended`))
  })

  return {
    async ask(handler, question) {
      asked += 1
      const asking = Promise.withResolvers<unknown>()
      waiting.set(asked, asking)
      child.send({ id: asked, name: handler, question } satisfies Question)
      return (await asking.promise) as never
    },
    async stop() {
      if (child.connected) child.disconnect()
      await gone
    },
  }
}

/** In the process: answers until the one that started it lets go, then closes and ends. Its memory is that of a role. */
export function answerQuestions<H extends Handlers>(handlers: H, close: () => Promise<void>): H {
  allocateYoung()
  process.on('message', async ({ id, name, question }: Question) => {
    try {
      process.send!({ id, answer: await handlers[name]!(question) } satisfies Answer)
    } catch (error) {
      process.send!({ id, error: (error as Error).stack ?? String(error) } satisfies Answer)
    }
  })
  process.on('disconnect', async () => {
    await close().catch((error) => console.error(error))
    process.exit()
  })
  return handlers
}
