import type { Command } from 'commander'
import type { RoutesView } from '../../client/index.ts'
import { type Cli, connect, type ServerFlags } from '../cli.ts'
import { renderColumns } from '../format/table.ts'
import { addExplain } from './routes-explain.ts'
import { addExamples, addServerFlags } from './server-flags.ts'

export function addRoutes(program: Command, cli: Cli): void {
  const command = program
    .command('routes')
    .description('the routing table in force: tiers, and which type goes where')
    .enablePositionalOptions()
    .action(async (flags: ServerFlags) => {
      const routes = await connect(cli, flags).routes()
      if (flags.json) return cli.terminal.printJson(routes)
      cli.terminal.print(renderRoutes(routes))
      for (const warning of routes.warnings) cli.terminal.note(`! ${warning}`)
    })
  addServerFlags(command)
  addExamples(command, 'tierline routes', 'tierline routes explain --type lint')
  addExplain(command, cli)
}

export function renderRoutes({ generation, source, tiers, routes, default: fallback }: RoutesView): string {
  const from = source.kind === 'file' ? source.path : 'derived from what OpenCode offers'
  return [
    `Generation ${generation}, ${from}`,
    '',
    renderColumns(
      [{ title: 'TIER' }, { title: 'MODELS' }, { title: 'AT ONCE', align: 'right' }, { title: '' }],
      tiers.map(({ tier, models, concurrency, paused }) => [
        tier,
        models.join(', '),
        concurrency === null ? 'no limit' : String(concurrency),
        paused ? 'paused' : '',
      ]),
    ),
    '',
    renderColumns(
      [{ title: 'TYPE' }, { title: 'GOES TO' }],
      [
        ...routes.map(({ type, tier, model }) => [
          type,
          [tier, model].filter((name) => name !== null).join(' → '),
        ]),
        ['(none given)', fallback],
      ],
    ),
  ].join('\n')
}
