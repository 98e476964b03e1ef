import type { Command } from 'commander'
import type { Cli, ServerFlags } from '../cli.ts'
import { forEachTask } from './each-task.ts'
import { addExamples, addServerFlags } from './server-flags.ts'

export function addDelete(program: Command, cli: Cli): void {
  const command = program
    .command('delete')
    .description('remove finished tasks with their results and logs')
    .argument('<id...>', 'of the tasks')
    .action((ids: string[], flags: ServerFlags) =>
      forEachTask(cli, ids, flags, {
        act: async (client, id) => {
          await client.remove(id)
          return undefined
        },
        done: () => 'deleted',
      }),
    )
  addServerFlags(command)
  addExamples(command, 'tierline delete tsk_01k0a1b2c3d4e5f6g7h8j9k0m1')
}
