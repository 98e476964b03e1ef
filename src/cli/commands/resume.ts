import type { Command } from 'commander'
import { type Cli, connect, type ServerFlags } from '../cli.ts'
import { addExamples, addServerFlags } from './server-flags.ts'

export function addResume(program: Command, cli: Cli): void {
  const command = program
    .command('resume')
    .description('let a paused tier go on')
    .argument('<tier>', 'a tier, "direct" or "nested"')
    .action(async (tier: string, flags: ServerFlags) => {
      const view = await connect(cli, flags).resumeTier(tier)
      if (flags.json) cli.terminal.printJson(view)
      else cli.terminal.note(`${view.tier} goes on`)
    })
  addServerFlags(command)
  addExamples(command, 'tierline resume powerful')
}
