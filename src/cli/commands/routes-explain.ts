import type { Command } from 'commander'
import type { Explanation, TaskInput } from '../../client/index.ts'
import { errorOfProblem } from '../../client/problem-error.ts'
import { type Cli, connect, type ServerFlags } from '../cli.ts'
import { exitCodeOfError } from '../exit-code.ts'
import { renderColumns } from '../format/table.ts'
import { addExamples, addServerFlags } from './server-flags.ts'
import { type InputFlags, readTaskInput } from './task-input.ts'

/** A route does not depend on the prompt, but a task must have one. */
const ANY_PROMPT = 'explain'

export function addExplain(routes: Command, cli: Cli): void {
  const command = routes
    .command('explain')
    .description('the way a task would take, step by step, without queueing it')
    .option('--type <type>', 'task type')
    .option('--tier <tier>', 'tier')
    .option('--model <provider/model>', 'model')
    .option('--dir <directory>', 'where it would work')
    .option('--agent <name>', 'agent of OpenCode')
    .action(async (flags: ServerFlags & InputFlags) => explain(cli, flags))
  addServerFlags(command)
  addExamples(
    command,
    'tierline routes explain --type lint',
    'tierline routes explain --type review --model acme/big',
  )
}

async function explain(cli: Cli, flags: ServerFlags & InputFlags): Promise<void> {
  const { terminal } = cli
  const input: TaskInput = await readTaskInput(ANY_PROMPT, flags)
  const explanation = await connect(cli, flags).explain(input)
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
