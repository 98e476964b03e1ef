import type { Command } from 'commander'
import type { Cli, ServerFlags } from '../cli.ts'
import { forEachTask } from './each-task.ts'
import { addExamples, addServerFlags } from './server-flags.ts'

export function addCancel(program: Command, cli: Cli): void {
  const command = program
    .command('cancel')
    .description('stop tasks, waiting or running')
    .argument('<id...>', 'of the tasks')
    .action((ids: string[], flags: ServerFlags) =>
      forEachTask(cli, ids, flags, { act: (client, id) => client.cancel(id), done: ({ state }) => state }),
    )
  addServerFlags(command)
  addExamples(
    command,
    'tierline cancel tsk_01k0a1b2c3d4e5f6g7h8j9k0m1',
    'tierline list --state waiting --type lint --all --quiet | xargs tierline cancel',
  )
}
