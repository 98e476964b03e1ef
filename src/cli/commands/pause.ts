import type { Command } from 'commander'
import { type Cli, commandLine, connect, type ServerFlags } from '../cli.ts'
import { addExamples, addServerFlags } from './server-flags.ts'

export function addPause(program: Command, cli: Cli): void {
  const command = program
    .command('pause')
    .description('start no more tasks of a tier; those that run go on')
    .argument('<tier>', 'a tier, "direct" or "nested"')
    .action(async (tier: string, flags: ServerFlags) => {
      const view = await connect(cli, flags).pauseTier(tier)
      if (flags.json) cli.terminal.printJson(view)
      else
        cli.terminal.note(
          `${view.tier} is paused; start it again with "${commandLine(cli, `resume ${view.tier}`, flags)}"`,
        )
    })
  addServerFlags(command)
  addExamples(command, 'tierline pause powerful')
}
