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

function renderRoutes(view: RoutesView): string {
  const { generation, source, tiers, rules, routes, default: fallback } = view
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
    ...(rules.length === 0 ? [] : [renderRules(rules), '']),
    renderColumns(
      [{ title: 'TYPE' }, { title: 'GOES TO' }],
      [...routes.map(({ type, ...target }) => [type, targetOf(target)]), ['(none given)', fallback]],
    ),
  ].join('\n')
}

function renderRules(rules: RoutesView['rules']): string {
  return renderColumns(
    [{ title: 'RULE' }, { title: 'WHEN' }, { title: 'GOES TO' }],
    rules.map(({ when, ...target }, index) => [`rules.${index}`, conditionsOf(when), targetOf(target)]),
  )
}

function conditionsOf({ promptTokens, ...names }: RoutesView['rules'][number]['when']): string {
  const { over, atMost } = promptTokens ?? {}
  return [
    ...Object.entries(names).map(([name, values]) => `${name} ${values?.join(' or ')}`),
    ...(over === undefined ? [] : [`over ${over} tokens`]),
    ...(atMost === undefined ? [] : [`at most ${atMost} tokens`]),
  ].join(', ')
}

function targetOf({ tier, model }: { tier: string | null; model: string | null }): string {
  return [tier, model].filter((name) => name !== null).join(' → ')
}
