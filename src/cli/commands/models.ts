import type { Command } from 'commander'
import type { ModelView, TierlineClient } from '../../client/index.ts'
import { TierlineError } from '../../errors.ts'
import { nearestHint, nearestNames } from '../../tasks/nearest.ts'
import { type Cli, connect, type ServerFlags } from '../cli.ts'
import { EXIT } from '../exit-code.ts'
import { formatCount } from '../format/count.ts'
import { formatMicroUsd, formatPrice } from '../format/money.ts'
import { renderColumns } from '../format/table.ts'
import { type Probe, probeModels } from './probe-models.ts'
import { addExamples, addServerFlags } from './server-flags.ts'

interface ModelsFlags extends ServerFlags {
  tier?: string
  probe?: boolean
}

export function addModels(program: Command, cli: Cli): void {
  const command = program
    .command('models')
    .description('the models there are, their tiers and prices')
    .option('--tier <tier>', 'only those of this tier')
    .option('--probe', 'ask each for one token: how fast, how dear, what error')
    .action(async (flags: ModelsFlags) => {
      const client = connect(cli, flags)
      const { tier } = flags
      const models = (await client.models()).filter(({ tiers }) => tier === undefined || tiers.includes(tier))
      if (models.length === 0 && tier !== undefined) await refuseUnknownTier(client, tier)
      if (flags.probe) return probe(cli, client, models, flags)
      if (flags.json) cli.terminal.printJson({ data: models })
      else if (models.length === 0) cli.terminal.note('No models: OpenCode has no provider with credentials.')
      else cli.terminal.print(renderModels(models))
    })
  addServerFlags(command)
  addExamples(
    command,
    'tierline models',
    'tierline models --probe --tier fast',
    `tierline models --json | jq -r '.data[] | select(.tools) | .model'`,
  )
}

/** A tier whose models are all gone is there, and has none to show. @throws {TierlineError} `tier_not_found`. */
async function refuseUnknownTier(client: TierlineClient, tier: string): Promise<void> {
  const names = (await client.routes()).tiers.map((one) => one.tier)
  if (names.includes(tier)) return
  const allowed = nearestNames(tier, names)
  throw new TierlineError(
    'tier_not_found',
    `Cannot list the models of the tier "${tier}": the routing table has no such tier${nearestHint(allowed)}`,
    { errors: [{ field: 'tier', message: 'is no tier of the routing table', given: tier, allowed }] },
  )
}

/** One that the server does not offer cannot be asked. */
async function probe(
  cli: Cli,
  client: TierlineClient,
  models: readonly ModelView[],
  { json }: ModelsFlags,
): Promise<void> {
  const { terminal } = cli
  const offered = models.filter(({ state }) => state !== 'unknown')
  const names = offered.map(({ model }) => model)
  const warmUp = cheapestOf(offered)
  if (!json) {
    terminal.note(`Asking ${names.length} models for one token each`)
    if (warmUp !== undefined) terminal.note(`${warmUp} goes first, uncounted: OpenCode may have to warm up`)
  }
  const probes = await probeModels(client, names, warmUp, ({ model, error }) => {
    if (!json) terminal.note(error === null ? `${model} answers` : `${model}: ${error.message}`)
  })
  if (json) terminal.printJson({ data: probes })
  else terminal.print(renderProbes(probes))
  if (probes.some(({ error }) => error !== null)) cli.exitCode = EXIT.taskFailed
}

/** By the price of a prompt, which is all that a short answer costs; `undefined`: there is no model. */
export function cheapestOf(models: readonly Pick<ModelView, 'model' | 'price'>[]): string | undefined {
  const priceOf = ({ price }: Pick<ModelView, 'price'>) => price?.inputMicroUsdPerMTok ?? Number.MAX_VALUE
  return models.toSorted((a, b) => priceOf(a) - priceOf(b))[0]?.model
}

export function renderProbes(probes: readonly Probe[]): string {
  return renderColumns(
    [
      { title: 'MODEL' },
      { title: 'FIRST TOKEN', align: 'right' },
      { title: 'TOTAL', align: 'right' },
      { title: 'COST', align: 'right' },
      { title: 'RESULT' },
    ],
    probes.map(({ model, firstTokenMs, totalMs, costMicroUsd, error }) => [
      model,
      firstTokenMs === null ? '-' : `${firstTokenMs} ms`,
      totalMs === null ? '-' : `${totalMs} ms`,
      formatMicroUsd(costMicroUsd),
      error === null ? 'ok' : error.code,
    ]),
  )
}

/** Prices are USD per million tokens. */
function renderModels(models: readonly ModelView[]): string {
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
