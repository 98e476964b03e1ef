import type { Command } from 'commander'
import type { ModelView } from '../../client/index.ts'
import { type Cli, connect, type ServerFlags } from '../cli.ts'
import { formatCount } from '../format/count.ts'
import { formatPrice } from '../format/money.ts'
import { renderColumns } from '../format/table.ts'
import { addExamples, addServerFlags } from './server-flags.ts'

export function addModels(program: Command, cli: Cli): void {
  const command = program
    .command('models')
    .description('the models there are, their tiers and prices')
    .action(async (flags: ServerFlags) => {
      const models = await connect(cli, flags).models()
      if (flags.json) cli.terminal.printJson({ data: models })
      else if (models.length === 0) cli.terminal.note('No models: OpenCode has no provider with credentials.')
      else cli.terminal.print(renderModels(models))
    })
  addServerFlags(command)
  addExamples(
    command,
    'tierline models',
    `tierline models --json | jq -r '.data[] | select(.tools) | .model'`,
  )
}

/** Prices are USD per million tokens. */
export function renderModels(models: readonly ModelView[]): string {
  return renderColumns(
    [
      { title: 'MODEL' },
      { title: 'TIERS' },
      { title: '$/MTOK IN', align: 'right' },
      { title: '$/MTOK OUT', align: 'right' },
      { title: 'CONTEXT', align: 'right' },
      { title: 'TOOLS' },
      { title: 'STATE' },
    ],
    models.map(({ model, tiers, price, contextTokens, tools, state }) => [
      model,
      tiers.join(', ') || '-',
      price === null ? '-' : formatPrice(price.inputMicroUsdPerMTok),
      price === null ? '-' : formatPrice(price.outputMicroUsdPerMTok),
      contextTokens === 0 ? '-' : formatCount(contextTokens),
      tools ? 'yes' : 'no',
      state,
    ]),
  )
}
