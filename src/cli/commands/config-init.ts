import { resolve } from 'node:path'
import type { Command } from 'commander'
import type { CatalogSnapshot } from '../../catalog/catalog.ts'
import type { Settings } from '../../config/settings.ts'
import { TierlineError } from '../../errors.ts'
import { askCatalog, findOpenCode } from '../ask-catalog.ts'
import { type Cli, typedPath } from '../cli.ts'
import { addExamples } from './server-flags.ts'

interface InitFlags {
  dataDir?: string
  json?: boolean
}

export function addConfigInit(config: Command, cli: Cli): void {
  const command = config
    .command('init')
    .description('write a routing table made of the models that OpenCode offers')
    .argument('[file]', 'default: TIERLINE_CONFIG, else tierline.yaml; "-" prints it')
    .option('--data-dir <directory>', 'of the running "up" whose OpenCode is asked')
    .option('--json', 'print JSON')
    .action(async (file: string | undefined, flags: InitFlags) => writeFirstTable(cli, file, flags))
  addExamples(
    command,
    'tierline config init',
    'OPENCODE_URL=http://127.0.0.1:4096 tierline config init my.yaml',
    'docker compose exec -T api tierline config init - > config/tierline.yaml',
  )
}

async function writeFirstTable(cli: Cli, file: string | undefined, flags: InitFlags): Promise<void> {
  const { terminal } = cli
  // Loaded when they are needed: the other commands start faster.
  const { initConfig, renderConfig } = await import('../../config/init-config.ts')
  const { readSettings } = await import('../../config/settings.ts')
  const settings = readSettings(undefined, { dataDir: flags.dataDir })
  const catalog = await readCatalog(settings)
  if (file === '-') {
    const text = renderConfig(catalog, undefined)
    return flags.json ? terminal.printJson({ text }) : terminal.print(text.trimEnd())
  }
  const path = file === undefined ? settings.config.path : resolve(typedPath(cli, file))
  await initConfig(path, catalog)
  if (flags.json) return terminal.printJson({ path })
  terminal.print(path)
  terminal.note('written; a running tierline that reads this file follows it at once')
}

async function readCatalog(settings: Settings): Promise<CatalogSnapshot> {
  const server = findOpenCode(settings)
  if (server === undefined)
    throw new TierlineError(
      'service_not_found',
      'Cannot ask OpenCode for its models: none is known; start everything with "npm start", or set OPENCODE_URL',
    )
  return askCatalog(server)
}
