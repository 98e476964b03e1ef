import type { TierlineClient } from '../../client/index.ts'
import { isTierlineError } from '../../errors.ts'
import type { TaskHandle } from '../../tasks/handle.ts'
import type { Cli, ServerFlags } from '../cli.ts'
import { EXIT, exitCodeOfTask } from '../exit-code.ts'
import { interruptible } from '../interruptible.ts'
import { describeQueueWait, readQueueWaits } from '../queue-wait.ts'
import { createJsonView } from './json-view.ts'
import { createLiveView } from './live-view.ts'
import { createPlainView } from './plain-view.ts'
import { sayThatItGoesOn } from './say-that-it-goes-on.ts'
import { applyItem, applyOutcome, createTaskView, type TaskView } from './task-view.ts'
import type { View } from './view.ts'

/** For the last look at a finished task, which only makes the numbers exact. */
const OUTCOME_TIMEOUT_MS = 10_000

/** Shows a task from its first event to its end. Gives the exit code. */
export async function watchTask(
  cli: Cli,
  client: TierlineClient,
  id: string,
  flags: ServerFlags,
): Promise<number> {
  const handle = client.task(id)
  const found = await handle.task()
  const task = createTaskView(found)
  if (!flags.json) {
    const tier = (await readQueueWaits(client, [found]))(found)
    // For a turn that comes at once there is nothing to say.
    if (tier?.paused) task.waitingFor = describeQueueWait(tier, cli.terminal.command)
  }
  const view = createView(cli, task, flags)
  let ended = false
  try {
    ended = await interruptible((signal) => follow(task, handle, view, { signal, json: flags.json }))
    if (ended && !flags.json) await makeExact(task, handle)
  } finally {
    view.close(ended)
  }
  if (ended) return exitCodeOfTask(task)
  sayThatItGoesOn(cli, id, flags)
  return EXIT.interrupted
}

/** False: stopped before the end. */
async function follow(
  task: TaskView,
  handle: TaskHandle,
  view: View,
  { signal, json }: { signal: AbortSignal; json: boolean | undefined },
): Promise<boolean> {
  try {
    for await (const item of handle.events({ signal })) {
      applyItem(task, item)
      view.show(item)
      if (item.type === 'end') return true
    }
    return false
  } catch (error) {
    if (json || !isTierlineError(error, 'log_expired')) throw error
    await showResultOnly(task, handle, view)
    return true
  }
}

function createView(cli: Cli, task: TaskView, { json }: ServerFlags): View {
  if (json) return createJsonView(cli.terminal)
  return cli.terminal.live ? createLiveView(cli.terminal, task) : createPlainView(cli.terminal, task)
}

async function makeExact(task: TaskView, handle: TaskHandle): Promise<void> {
  try {
    applyOutcome(task, await handle.result({ timeoutMs: OUTCOME_TIMEOUT_MS }))
  } catch {
    // Deleted meanwhile, or the server went away: what the events told must do.
  }
}

/** The log of an old task is removed before the task itself. */
async function showResultOnly(task: TaskView, handle: TaskHandle, view: View): Promise<void> {
  const { result, finishedAt, startedAt } = await handle.task()
  Object.assign(task, { startedAt, finishedAt })
  task.notes.push('the events of this task are gone, this is its result')
  if (result === null) return
  const delta = { messageID: '', partID: '', offset: 0, text: result.text }
  const item = { seq: 0, at: 0, attempt: 0, type: 'text-delta', ...delta } as const
  applyItem(task, item)
  view.show(item)
}
