import type { Command } from 'commander'
import type { Ask, TierlineClient } from '../../client/index.ts'
import { type Cli, commandLine, connect, type ServerFlags } from '../cli.ts'
import { cleanLine } from '../format/clean.ts'
import { formatDuration } from '../format/duration.ts'
import { renderColumns } from '../format/table.ts'
import { addExamples, addServerFlags } from './server-flags.ts'
import { readTasks } from './task-filters.ts'

interface AsksFlags extends ServerFlags {
  closed?: boolean
}

type TaskAsk = Ask & { taskID: string }

export function addAsks(program: Command, cli: Cli): void {
  const command = program
    .command('asks')
    .description('show what tasks ask of you')
    .argument('[id]', 'of a task (default: all that wait for a person)')
    .option('--closed', 'show those that are answered or denied, too')
    .action((id: string | undefined, flags: AsksFlags) => showAsks(cli, id, flags))
  addServerFlags(command)
  addExamples(command, 'tierline asks', 'tierline asks tsk_01k0a1b2c3d4e5f6g7h8j9k0m1 --closed --json')
}

async function showAsks(cli: Cli, id: string | undefined, flags: AsksFlags): Promise<void> {
  const { terminal } = cli
  const client = connect(cli, flags)
  const asks = await readAsks(client, id === undefined ? await waiting(client) : [id])
  const data = asks.filter(({ state }) => flags.closed || state === 'open')
  if (flags.json) return terminal.printJson({ data })
  if (data.length === 0) return terminal.note('Nothing is asked.')
  terminal.print(renderAsks(data, Date.now()))
  const command = commandLine(cli, 'answer TASK once', flags)
  terminal.note(`Answer with "${command}" (or always, reject, or the text of an answer).`)
}

async function waiting(client: TierlineClient): Promise<string[]> {
  const { data } = await readTasks(client, { state: 'running' })
  return data.filter(({ waitingFor }) => waitingFor?.reason === 'person').map(({ id }) => id)
}

async function readAsks(client: TierlineClient, ids: readonly string[]): Promise<TaskAsk[]> {
  const lists = await Promise.all(
    ids.map(async (taskID) => (await client.asks(taskID)).map((ask) => ({ taskID, ...ask }))),
  )
  return lists.flat()
}

/** One ask a line. */
function renderAsks(asks: readonly TaskAsk[], now: number): string {
  return renderColumns(
    [
      { title: 'TASK' },
      { title: 'ASK' },
      { title: 'STATE' },
      { title: 'LEFT', align: 'right' },
      { title: 'WHAT' },
    ],
    asks.map((ask) => [
      ask.taskID,
      ask.id,
      ask.state,
      ask.state === 'open' ? formatDuration(Math.max(0, ask.deadlineAt - now)) : '-',
      describeAsk(ask),
    ]),
  )
}

/** `bash: git push`, or the questions with their options. */
export function describeAsk({
  permission,
  patterns,
  questions,
}: Pick<Ask, 'permission' | 'patterns' | 'questions'>): string {
  if (permission !== null) return cleanLine(`${permission}: ${patterns.join(', ')}`)
  return cleanLine(
    questions
      .map(({ question, options }) => {
        const labels = options.map(({ label }) => label).join(' / ')
        return labels === '' ? question : `${question} (${labels})`
      })
      .join('; '),
  )
}
