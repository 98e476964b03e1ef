import type { Command } from 'commander'
import type { Cli } from '../cli.ts'
import { countArgument } from './arguments.ts'
import { addExamples } from './server-flags.ts'
import { addListenFlags, addSettingsFlags, type SettingsFlags } from './settings-flags.ts'

export function addUp(program: Command, cli: Cli): void {
  const command = program
    .command('up')
    .description('run everything on this machine: Redis, OpenCode, API, board, workers')
    .option('--concurrency <number>', 'tasks of a tier at once in the worker process', countArgument)
    .action(async ({ concurrency, json = false, ...settings }: UpFlags) => {
      const { runUp } = await import('../../service.ts')
      cli.exitCode = await runUp({ settings, concurrency, json })
    })
  addListenFlags(command)
  addSettingsFlags(command)
  addExamples(
    command,
    'tierline up',
    'tierline up --port 0 --data-dir /var/lib/tierline --config tierline.yaml',
    'REDIS_URL=redis://10.0.0.5:6379 tierline up',
  )
}

type UpFlags = SettingsFlags & { concurrency?: number; json?: boolean }
