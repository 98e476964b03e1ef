import type { Command } from 'commander'
import type { Cli } from '../cli.ts'
import { addBulk } from './bulk.ts'
import { addExamples } from './server-flags.ts'

export function addCancel(program: Command, cli: Cli): void {
  const command = program.command('cancel').description('stop tasks, waiting or running')
  addBulk(command, cli, {
    verb: 'cancel',
    past: 'cancelled',
    states: ['waiting', 'delayed', 'running'],
    // In the direction in which tasks move while they are looked for.
    unlessNamed: ['delayed', 'waiting', 'running'],
    act: (client, id) => client.cancel(id),
    // What runs is stopped by its worker, a moment later.
    said: ({ state }) => (state === 'running' ? 'running, being cancelled' : state),
    isTooLate: ({ state }) => state === 'succeeded' || state === 'failed',
  })
  addExamples(
    command,
    'tierline cancel tsk_01k0a1b2c3d4e5f6g7h8j9k0m1',
    'tierline cancel --all --type lint --dry-run',
    'tierline cancel --all --metadata team=core --state waiting',
  )
}
