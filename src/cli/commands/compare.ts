import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { type Command, Option } from 'commander'
import type { CompareInput, TaskOutcome } from '../../client/index.ts'
import { TierlineError } from '../../errors.ts'
import { type Cli, connect, type ServerFlags } from '../cli.ts'
import { isGood, renderComparison } from '../compare/comparison-table.ts'
import { followComparison } from '../compare/follow-comparison.ts'
import { EXIT, exitCodeOfTask } from '../exit-code.ts'
import { interruptible } from '../interruptible.ts'
import { errorLine } from '../watch/render-task.ts'
import { sayThatItGoesOn } from '../watch/say-that-it-goes-on.ts'
import { createTasksView } from '../watch/tasks-view.ts'
import { collectMetadata, durationArgument, listArgument, numberArgument, usdArgument } from './arguments.ts'
import { addExamples, addServerFlags } from './server-flags.ts'
import { type InputFlags, readTaskInput } from './task-input.ts'

interface CompareFlags
  extends ServerFlags,
    Omit<InputFlags, 'model' | 'tier' | 'message' | 'session' | 'delay'> {
  models?: readonly string[]
  tiers?: readonly string[]
  verify?: string
  schema?: string
}

export function addCompare(program: Command, cli: Cli): void {
  const command = program
    .command('compare')
    .description('run a task on several models at once')
    .argument('[prompt]', 'what to do; "-" reads it from stdin')
    .addOption(
      new Option('--models <provider/model,…>', 'the models to compare')
        .argParser(listArgument)
        .conflicts('tiers'),
    )
    .addOption(new Option('--tiers <tier,…>', 'or the tiers').argParser(listArgument))
    .option('--type <type>', 'task type')
    .option(
      '--dir <directory>',
      'where to work, each in a worktree of its own (default: where the server does)',
    )
    .option('--isolation <kind>', 'shared or exclusive, instead of a worktree for each')
    .option('--file <path>', 'read the prompt from a file; "-" is stdin')
    .option('--title <text>', 'title of the sessions')
    .option('--agent <name>', 'agent of OpenCode')
    .option('--verify <name>', 'judge what each changed by this verifier of the configuration file')
    .addOption(new Option('--schema <path>', 'judge each answer by this JSON Schema').conflicts('verify'))
    .option('--parent <id>', 'below this task, which waits for it')
    .option('--priority <number>', '0 runs first, 9 last', numberArgument)
    .option('--timeout <duration>', 'longest time of each from start to end: 90s, 10m', durationArgument)
    .option('--max-cost <usd>', 'most each may cost, then it is stopped: 0.50', usdArgument)
    .option('--metadata <key=value>', 'something of your own (repeatable)', collectMetadata)
    .action(async (prompt: string | undefined, flags: CompareFlags) => compare(cli, prompt, flags))
  addServerFlags(command)
  addExamples(
    command,
    'tierline compare "Explain src/index.ts" --models acme/nano,acme/big',
    'tierline compare --dir . "Fix the failing test" --tiers fast,powerful --verify tests-pass',
    'tierline compare "List the exports of src/ as JSON" --models acme/nano,acme/mini --schema list.schema.json',
  )
  command.addHelpText('after', '\nExits with 1 when no model did it, as far as is known.')
}

async function compare(cli: Cli, prompt: string | undefined, flags: CompareFlags): Promise<void> {
  const { terminal } = cli
  const input = await readCompareInput(prompt, flags, cli.settings.userDirectory)
  const client = connect(cli, flags)
  const comparison = await client.compare(input)
  if (!flags.json) terminal.note(`${comparison.id} is queued`)
  const view = flags.json ? NO_VIEW : createTasksView(terminal)
  let outcome: TaskOutcome | undefined
  try {
    outcome = await interruptible(async (signal) => {
      const isOver = await followComparison(client, comparison, view, signal)
      return isOver ? comparison.result({ signal }) : undefined
    })
  } finally {
    view.close()
  }
  if (outcome === undefined) {
    sayThatItGoesOn(cli, comparison.id, flags)
    cli.exitCode = EXIT.interrupted
    return
  }
  const rows = outcome.result?.comparison ?? []
  if (flags.json) terminal.printJson(outcome)
  else if (outcome.error !== null) terminal.note(errorLine(outcome.error, terminal.noteColors))
  else terminal.print(renderComparison(rows, terminal.colors))
  cli.exitCode = outcome.error === null && !rows.some(isGood) ? EXIT.taskFailed : exitCodeOfTask(outcome)
}

const NO_VIEW = { add() {}, show() {}, finish() {}, close() {} }

async function readCompareInput(
  prompt: string | undefined,
  flags: CompareFlags,
  from: string,
): Promise<CompareInput> {
  const { models, tiers, verify, schema, ...more } = flags
  const shared = await readTaskInput(prompt, more, from)
  return {
    ...shared,
    // Checked by the server, which knows what they may be.
    ...(models && { models: [...models] as NonNullable<CompareInput['models']> }),
    ...(tiers && { tiers: [...tiers] }),
    ...(verify !== undefined && { verify }),
    ...(schema !== undefined && { output: { schema: await readSchema(schema, from) } }),
  } as CompareInput
}

async function readSchema(path: string, from: string): Promise<Record<string, unknown>> {
  try {
    return JSON.parse(await readFile(resolve(from, path), 'utf8')) as Record<string, unknown>
  } catch (cause) {
    const message = `cannot be read as JSON: ${(cause as Error).message}`
    throw new TierlineError('invalid_input', `Cannot compare: the schema "${path}" ${message}`, {
      errors: [{ field: '--schema', message, given: path }],
      cause,
    })
  }
}
