import type { Command } from 'commander'
import type { Cli } from '../cli.ts'
import { addExamples } from './server-flags.ts'

export function addDemo(program: Command, cli: Cli): void {
  const command = program
    .command('demo')
    .description('show it at work: a dozen tasks on a scripted model, which costs nothing')
    .option('--json', 'print the table as JSON')
    .action(async ({ json = false }: { json?: boolean }) => {
      const { runDemo } = await import('../demo/run-demo.ts')
      cli.exitCode = await runDemo({ json, terminal: cli.terminal })
    })
  addExamples(command, 'tierline demo', 'tierline demo --json | jq .total')
}
