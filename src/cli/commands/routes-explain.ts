import type { Command } from 'commander'
import type { Explanation, TaskInput } from '../../client/index.ts'
import { errorOfProblem } from '../../client/problem-error.ts'
import { type Cli, connect, type ServerFlags } from '../cli.ts'
import { exitCodeOfError } from '../exit-code.ts'
import { renderColumns } from '../format/table.ts'
import { addExamples, addServerFlags } from './server-flags.ts'
import { type InputFlags, readTaskInput } from './task-input.ts'

/** Where only the length of the prompt matters, and none is given. */
const ANY_PROMPT = 'explain'

interface ExplainFlags extends ServerFlags, InputFlags {
  as?: string
}

export function addExplain(routes: Command, cli: Cli): void {
  const command = routes
    .command('explain')
    .description('the way a task would take, step by step, without queueing it')
    .argument('[prompt]', 'what it would be told, where rules or models look at its length; "-" is stdin')
    .option('--type <type>', 'task type')
    .option('--tier <tier>', 'tier')
    .option('--model <provider/model>', 'model')
    .option('--dir <directory>', 'where it would work')
    .option('--file <path>', 'read the prompt from a file; "-" is stdin')
    .option('--session <id>', 'in this session')
    .option('--as <name>', 'as if submitted with the API key of this name (default: the one in use)')
    .option('--agent <name>', 'agent of OpenCode')
    .action(async (prompt: string | undefined, flags: ExplainFlags) => explain(cli, prompt, flags))
  addServerFlags(command)
  addExamples(
    command,
    'tierline routes explain --type lint',
    'tierline routes explain --type review --model acme/big',
    'tierline routes explain --as ci --file prompt.md',
  )
}

async function explain(cli: Cli, prompt: string | undefined, flags: ExplainFlags): Promise<void> {
  const { terminal } = cli
  const { as: key, ...inputFlags } = flags
  const given = prompt ?? (flags.file === undefined ? ANY_PROMPT : undefined)
  const input: TaskInput = await readTaskInput(given, inputFlags, cli.settings.userDirectory)
  const explanation = await connect(cli, flags).explain(input, key === undefined ? {} : { key })
  const error = explanation.problem && errorOfProblem(explanation.problem, explanation.problem)
  if (flags.json) {
    terminal.printJson(explanation)
    if (error !== null) cli.exitCode = exitCodeOfError(error)
    return
  }
  if (explanation.route !== null) terminal.print(renderRoute(explanation.route))
  if (error !== null) throw error
}

function renderRoute({ generation, tier, model, chain, steps }: NonNullable<Explanation['route']>): string {
  return [
    renderColumns(
      [{ title: 'STEP' }, { title: 'LOOKED AT' }, { title: 'OUTCOME' }],
      steps.map(({ step, input, outcome }) => [step, input, outcome]),
    ),
    '',
    `→ ${[tier, model].filter((name) => name !== null).join(' → ')}`,
    ...(chain.length === 0 ? [] : [`  then ${chain.join(', ')}`]),
    `  by generation ${generation} of the routing table`,
  ].join('\n')
}
