import type { Command } from 'commander'
import type { Settings } from '../../config/settings.ts'
import type { RoutingTable } from '../../routing/table.ts'
import { askCatalog, findOpenCode } from '../ask-catalog.ts'
import { type Cli, typedPath } from '../cli.ts'
import { EXIT } from '../exit-code.ts'
import { cleanLine } from '../format/clean.ts'
import { addExamples } from './server-flags.ts'

/** A fresh server takes seconds for its first answer; who checks a file waits no longer. */
const CATALOG_MS = 15_000

interface CheckFlags {
  dataDir?: string
  json?: boolean
}

export function addConfigCheck(config: Command, cli: Cli): void {
  const command = config
    .command('check')
    .description('say what is wrong with a configuration file, with line and column')
    .argument('[file]', 'default: TIERLINE_CONFIG, else tierline.yaml')
    .option('--data-dir <directory>', 'of the running "up" whose OpenCode is asked for models and prices')
    .option('--json', 'print JSON')
    .action(async (file: string | undefined, flags: CheckFlags) => checkFile(cli, file, flags))
  addExamples(command, 'tierline config check', 'tierline config check deploy/tierline.yaml --json')
}

async function checkFile(cli: Cli, file: string | undefined, flags: CheckFlags): Promise<void> {
  // Loaded when they are needed: the other commands start faster.
  const { checkConfig } = await import('../../config/check-config.ts')
  const { formatProblem } = await import('../../config/config-problem.ts')
  const { readSettings } = await import('../../config/settings.ts')
  const { terminal } = cli
  const read = () => readSettings(undefined, { dataDir: flags.dataDir })
  // Of a file that is named something can be said in any environment.
  const settings = file === undefined ? read() : orUndefined(read)
  const around = {
    keys: settings?.apiKeys.map(({ name }) => name),
    directories: settings?.directories,
  }
  const { path, problems, warnings, config } = await checkConfig(
    file === undefined ? settings!.config.path : typedPath(cli, file),
    around,
  )
  const told = config === null ? UNASKED : await askServer(config.table, settings)
  const all = [...warnings, ...told.warnings]
  if (problems.length > 0) cli.exitCode = EXIT.usage
  if (flags.json) return terminal.printJson({ path, problems, warnings: all, server: told.server })
  for (const problem of problems) terminal.print(cleanLine(formatProblem(path, problem)))
  for (const warning of all) terminal.note(`! ${cleanLine(warning)}`)
  if (problems.length === 0) terminal.note(`${path} is good${told.server === null ? told.why : ''}`)
}

type Told = { warnings: string[] } & ({ server: string } | { server: null; why: string })

const UNASKED = {
  warnings: [],
  server: null,
  why: '; no OpenCode is known, so nothing was asked of models and prices',
} satisfies Told

/** What only the server can tell: which models there are, and what they cost. `server`: who told it. */
async function askServer(table: RoutingTable, settings: Settings | undefined): Promise<Told> {
  const server = settings && findOpenCode(settings)
  if (server === undefined) return UNASKED
  const { tableWarnings } = await import('../../budget/table-warnings.ts')
  try {
    const catalog = await askCatalog(server, AbortSignal.timeout(CATALOG_MS))
    return { warnings: tableWarnings(table, catalog), server: server.name }
  } catch {
    return { ...UNASKED, why: `; OpenCode "${server.name}" did not tell its models and prices` }
  }
}

function orUndefined(read: () => Settings): Settings | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}
