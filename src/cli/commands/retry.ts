import type { Command } from 'commander'
import type { Cli, ServerFlags } from '../cli.ts'
import { forEachTask } from './each-task.ts'
import { addExamples, addServerFlags } from './server-flags.ts'

export function addRetry(program: Command, cli: Cli): void {
  const command = program
    .command('retry')
    .description('run finished tasks once more, under their ids')
    .argument('<id...>', 'of the tasks')
    .action((ids: string[], flags: ServerFlags) =>
      forEachTask(cli, ids, flags, { act: (client, id) => client.retry(id), done: ({ state }) => state }),
    )
  addServerFlags(command)
  addExamples(
    command,
    'tierline retry tsk_01k0a1b2c3d4e5f6g7h8j9k0m1',
    'tierline list --state failed --all --quiet | xargs tierline retry',
  )
}
