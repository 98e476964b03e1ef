import type { Command } from 'commander'
import type { Cli } from '../cli.ts'
import { addExamples } from './server-flags.ts'
import { addListenFlags, addSettingsFlags, type SettingsFlags } from './settings-flags.ts'

export function addServe(program: Command, cli: Cli): void {
  const command = program
    .command('serve')
    .description('run the API and the board only, on services that run already')
    .action(async ({ json = false, ...settings }: SettingsFlags & { json?: boolean }) => {
      const { runServe } = await import('../../service.ts')
      cli.exitCode = await runServe({ settings, json })
    })
  addListenFlags(command)
  addSettingsFlags(command)
  addExamples(
    command,
    'REDIS_URL=redis://10.0.0.5:6379 OPENCODE_URL=http://10.0.0.6:4096 tierline serve',
    'tierline serve --port 4401     beside a running "tierline up"',
  )
}
