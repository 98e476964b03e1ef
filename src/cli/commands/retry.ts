import type { Command } from 'commander'
import type { Cli } from '../cli.ts'
import { addBulk } from './bulk.ts'
import { addExamples } from './server-flags.ts'

export function addRetry(program: Command, cli: Cli): void {
  const command = program.command('retry').description('run finished tasks once more, under their ids')
  addBulk(command, cli, {
    verb: 'retry',
    past: 'retried',
    states: ['failed', 'cancelled', 'succeeded'],
    unlessNamed: ['failed'],
    act: (client, id) => client.retry(id),
    said: ({ state }) => state,
    isTooLate: () => false,
  })
  addExamples(
    command,
    'tierline retry tsk_01k0a1b2c3d4e5f6g7h8j9k0m1',
    'tierline retry --all --type lint --since 2h --dry-run',
    'tierline retry --all --type lint --since 2h',
  )
}
