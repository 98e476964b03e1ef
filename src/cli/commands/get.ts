import type { Command } from 'commander'
import type { Task, TierlineClient } from '../../client/index.ts'
import { comparedIn, modelOf } from '../../tasks/comparison-route.ts'
import { type Cli, connect, type ServerFlags } from '../cli.ts'
import { cleanText } from '../format/clean.ts'
import { formatCount, totalTokens } from '../format/count.ts'
import { formatDuration } from '../format/duration.ts'
import { formatMicroUsd } from '../format/money.ts'
import { renderPairs } from '../format/table.ts'
import { describeWait } from '../format/wait.ts'
import { describeQueueWait, readQueueWaits } from '../queue-wait.ts'
import { addExamples, addServerFlags } from './server-flags.ts'

export function addGet(program: Command, cli: Cli): void {
  const command = program
    .command('get')
    .description('show a task as it is now, with its answer')
    .argument('<id>', 'of the task')
    .action(async (id: string, flags: ServerFlags) => {
      const client = connect(cli, flags)
      const task = await client.get(id)
      if (flags.json) cli.terminal.printJson(task)
      else cli.terminal.print(renderTaskDetails(task, await waitOf(cli, client, task), Date.now()))
    })
  addServerFlags(command)
  addExamples(
    command,
    'tierline get tsk_01k0a1b2c3d4e5f6g7h8j9k0m1',
    'tierline get tsk_01k0a1b2c3d4e5f6g7h8j9k0m1 --json | jq -r .result.text',
  )
}

/** A task does not know what becomes of its queue. */
async function waitOf({ terminal }: Cli, client: TierlineClient, task: Task): Promise<string | null> {
  if (task.waitingFor !== null) return describeWait(task.waitingFor)
  const tier = (await readQueueWaits(client, [task]))(task)
  return tier === undefined ? null : describeQueueWait(tier, terminal.command)
}

/** All that matters of a task, one fact a line, then the answer. */
function renderTaskDetails(task: Task, waitsFor: string | null, now: number): string {
  const { progress, error, startedAt, finishedAt, metadata, result } = task
  const facts = renderPairs([
    ['id', task.id],
    ['state', task.state],
    ['waits for', waitsFor],
    ['error', error && `${error.code}: ${error.message}`],
    ...(error?.lostWorkers ?? []).map(({ worker, attempt, lostAt }): [string, string] => [
      'lost worker',
      `${worker}, attempt ${attempt}, missed at ${new Date(lostAt).toISOString()}`,
    ]),
    ['type', task.type],
    ['tier', task.tier],
    ['queue', task.queue],
    ['compares', comparedIn(task.route)],
    ['model', modelOf(task.model, task.route)],
    ['fallbacks', task.route.chain.join(', ') || null],
    ['directory', task.directory],
    ['session', task.sessionID && `${task.sessionID} on ${task.server}`],
    ['message', progress.messages > 1 ? `${progress.message} of ${progress.messages}` : null],
    ['attempt', task.attempt > 1 ? String(task.attempt) : null],
    ['tokens', formatCount(totalTokens(task.usage))],
    ['cost', formatMicroUsd(task.costMicroUsd)],
    ['estimated', task.costEstimatedMicroUsd > 0 ? `+ ${formatMicroUsd(task.costEstimatedMicroUsd)}` : null],
    ['created', new Date(task.createdAt).toISOString()],
    ['waited', formatDuration((startedAt ?? finishedAt ?? now) - task.createdAt)],
    ['ran', startedAt === null ? null : formatDuration((finishedAt ?? now) - startedAt)],
    [
      'metadata',
      Object.entries(metadata)
        .map(([key, value]) => `${key}=${value}`)
        .join(', ') || null,
    ],
  ])
  return result === null ? facts : `${facts}\n\n${cleanText(result.text)}`
}
