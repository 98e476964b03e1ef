import type { Command } from 'commander'
import type { Settings } from '../../config/settings.ts'
import type { Cli } from '../cli.ts'
import { EXIT } from '../exit-code.ts'
import { cleanLine } from '../format/clean.ts'
import { addExamples } from './server-flags.ts'

export function addConfigCheck(config: Command, cli: Cli): void {
  const command = config
    .command('check')
    .description('say what is wrong with a configuration file, with line and column')
    .argument('[file]', 'default: TIERLINE_CONFIG, else tierline.yaml')
    .option('--json', 'print JSON')
    .action(async (file: string | undefined, { json }: { json?: boolean }) => checkFile(cli, file, json))
  addExamples(command, 'tierline config check', 'tierline config check deploy/tierline.yaml --json')
}

async function checkFile(cli: Cli, file: string | undefined, json: boolean | undefined): Promise<void> {
  // Loaded when they are needed: the other commands start faster.
  const { checkConfig } = await import('../../config/check-config.ts')
  const { formatProblem } = await import('../../config/config-problem.ts')
  const { readSettings } = await import('../../config/settings.ts')
  const { terminal } = cli
  // Of a file that is named something can be said in any environment.
  const settings = file === undefined ? readSettings() : orUndefined(readSettings)
  const keys = settings?.apiKeys.map(({ name }) => name)
  const { path, problems, warnings } = await checkConfig(file ?? settings!.config.path, keys)
  if (problems.length > 0) cli.exitCode = EXIT.usage
  if (json) return terminal.printJson({ path, problems, warnings })
  for (const problem of problems) terminal.print(cleanLine(formatProblem(path, problem)))
  for (const warning of warnings) terminal.note(`! ${cleanLine(warning)}`)
  if (problems.length === 0) terminal.note(`${path} is good`)
}

function orUndefined(read: () => Settings): Settings | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}
