import type { Command } from 'commander'
import { type Cli, connect, type ServerFlags } from '../cli.ts'
import { watchTask } from '../watch/watch-task.ts'
import { addExamples, addServerFlags } from './server-flags.ts'

export function addWatch(program: Command, cli: Cli): void {
  const command = program
    .command('watch')
    .description('show a task from its first event to its end')
    .argument('<id>', 'of the task')
    .action(async (id: string, flags: ServerFlags) => {
      cli.exitCode = await watchTask(cli, connect(cli, flags), id, flags)
    })
  addServerFlags(command)
  addExamples(
    command,
    'tierline watch tsk_01k0a1b2c3d4e5f6g7h8j9k0m1',
    'tierline watch tsk_01k0a1b2c3d4e5f6g7h8j9k0m1 > answer.txt    only the text',
    'tierline watch tsk_01k0a1b2c3d4e5f6g7h8j9k0m1 --json          each event as a line of JSON',
  )
  command.addHelpText('after', '\nCtrl-C ends the watching, not the task.')
}
