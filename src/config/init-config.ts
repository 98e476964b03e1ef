import { writeFile } from 'node:fs/promises'
import { dirname, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Document } from 'yaml'
import type { CatalogSnapshot } from '../catalog/catalog.ts'
import { TierlineError } from '../errors.ts'
import { modelsOf } from '../routing/catalog-index.ts'
import { deriveTable } from '../routing/derive-tiers.ts'
import type { RoutingTableParts } from '../routing/table.ts'
import type { ModelID } from '../tasks/model-id.ts'

const SCHEMA_FILE = fileURLToPath(new URL('../../docs/tierline.schema.json', import.meta.url))

/**
 * Writes the derived tiers and the built-in routes to a new file, with comments.
 *
 * @throws {TierlineError} `no_route` when the server offers no model, `invalid_config` when the file
 *   exists already or cannot be written.
 */
export async function initConfig(path: string, catalog: CatalogSnapshot): Promise<string> {
  const text = renderConfig(catalog, schemaFor(path))
  try {
    await writeFile(path, text, { flag: 'wx' })
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    const reason =
      code === 'EEXIST' ? 'it exists already; remove it, or name another' : `it cannot be written (${code})`
    throw new TierlineError('invalid_config', `Cannot write the configuration file "${path}": ${reason}`, {
      errors: [{ field: 'file', message: reason, given: path }],
      cause,
    })
  }
  return text
}

/** The text of that file. `schema` is a URL or a path, for editors; `undefined` names none. Pure. */
export function renderConfig(catalog: CatalogSnapshot, schema: string | undefined): string {
  const table = deriveTable(catalog, 1)
  if (table.tiers.some(({ models }) => models.length === 0))
    throw new TierlineError('no_route', `Cannot write tiers: ${table.warnings.join('; ')}`)
  const head = [
    ...(schema === undefined ? [] : [`# yaml-language-server: $schema=${schema}`]),
    '# The routing table of tierline. Every key: docs/configuration.md. "tierline config check" checks it.',
    '# Derived from what the OpenCode server offered; a running tierline follows each change of this file.',
    ...table.warnings.map((warning) => `# ${warning}.`),
  ]
  const { default: defaultTier } = table
  return [
    ...head,
    '',
    '# Models of a tier are tried in this order. A tier may also have "concurrency: 4": tasks at a time.',
    'tiers:',
    ...table.tiers.flatMap(({ name, models }) => [
      `  ${name}:`,
      '    models:',
      ...models.map((model) => `      - ${scalar(model)}${priceComment(model, catalog)}`),
    ]),
    '',
    '# Task type → tier, "provider/model", or with limits: { tier: fast, timeoutMs: 600000 }',
    'routes:',
    ...routesOf(table),
    '',
    '# The tier of tasks that name no model, tier or type.',
    `default: ${defaultTier}`,
    '',
  ].join('\n')
}

function routesOf({ routes }: RoutingTableParts): string[] {
  return [...routes].map(([type, { tier }]) => `  ${type}: ${tier}`)
}

function priceComment(model: ModelID, catalog: CatalogSnapshot): string {
  const price = modelsOf(catalog).get(model)?.price
  if (!price) return '  # price not known'
  const usd = (micro: number): string => String(micro / 1_000_000)
  return `  # ${usd(price.inputMicroUsdPerMTok)} USD in, ${usd(price.outputMicroUsdPerMTok)} USD out per million tokens`
}

/** Quoted where YAML would read something else. */
function scalar(text: string): string {
  return new Document(text).toString({ lineWidth: 0 }).trimEnd()
}

function schemaFor(path: string): string {
  const way = relative(dirname(path), SCHEMA_FILE).split(sep).join('/')
  return way.startsWith('.') ? way : `./${way}`
}
