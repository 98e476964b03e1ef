import type { Command } from 'commander'
import type { Cli } from '../cli.ts'
import { countArgument, listArgument } from './arguments.ts'
import { addExamples } from './server-flags.ts'
import { addSettingsFlags, type SettingsFlags } from './settings-flags.ts'

export function addWorker(program: Command, cli: Cli): void {
  const command = program
    .command('worker')
    .description('run tasks only, on services that run already')
    .option('--tiers <names>', 'of these tiers, "direct" and "nested" (default: all)', listArgument)
    .option('--concurrency <number>', 'tasks of a tier at once in this process', countArgument)
    .action(async ({ tiers, concurrency, json = false, ...settings }: WorkerFlags) => {
      const { runWorker } = await import('../../service.ts')
      cli.exitCode = await runWorker({ settings, tiers, concurrency, json })
    })
  addSettingsFlags(command)
  addExamples(
    command,
    'tierline worker                            beside a running "tierline up"',
    'tierline worker --tiers fast,balanced --concurrency 8',
  )
}

type WorkerFlags = SettingsFlags & { tiers?: readonly string[]; concurrency?: number; json?: boolean }
