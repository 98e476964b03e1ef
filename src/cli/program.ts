import { Command } from 'commander'
import manifest from '../../package.json' with { type: 'json' }
import type { Cli } from './cli.ts'
import { addAnswer } from './commands/answer.ts'
import { addAsks } from './commands/asks.ts'
import { addBudgets } from './commands/budgets.ts'
import { addCancel } from './commands/cancel.ts'
import { addCompare } from './commands/compare.ts'
import { addConfig } from './commands/config.ts'
import { addCosts } from './commands/costs.ts'
import { addDelete } from './commands/delete.ts'
import { addDemo } from './commands/demo.ts'
import { addGet } from './commands/get.ts'
import { addList } from './commands/list.ts'
import { addModels } from './commands/models.ts'
import { addMove } from './commands/move.ts'
import { addPause } from './commands/pause.ts'
import { addResume } from './commands/resume.ts'
import { addRetry } from './commands/retry.ts'
import { addRoutes } from './commands/routes.ts'
import { addServe } from './commands/serve.ts'
import { addSubmit } from './commands/submit.ts'
import { addUp } from './commands/up.ts'
import { addWatch } from './commands/watch.ts'
import { addWorker } from './commands/worker.ts'

const EXAMPLES = `
Examples:
  tierline up                                    start everything on this machine
  tierline submit --type lint "Find dead code"   queue a task
  tierline submit --watch "Explain src/index.ts" queue a task and watch it
  tierline list --state failed                   what went wrong

Data goes to stdout, everything else to stderr; --json makes the data JSON.
Exit codes: 0 done, 1 the task failed, 2 the command could not be carried out, 3 no budget, 130 interrupted.`

/** All commands. `parseAsync` throws commander's errors and ours, and never ends the process. */
export function createProgram(cli: Cli): Command {
  const program = new Command('tierline')
    .description('Durable job queue that dispatches agent tasks to OpenCode sessions by model tier')
    .version(manifest.version)
    .exitOverride()
    // So that "routes explain --json" gives the flag to "explain" and not to "routes".
    .enablePositionalOptions()
    .configureOutput({ getErrHasColors: () => cli.terminal.noteColors.isColorSupported })
    .showHelpAfterError('(add --help to see what there is)')
    .addHelpText('after', EXAMPLES)

  program.commandsGroup('Run:')
  for (const add of [addUp, addServe, addWorker, addDemo, addMove]) add(program, cli)
  program.commandsGroup('Tasks:')
  for (const add of [
    addSubmit,
    addCompare,
    addWatch,
    addGet,
    addList,
    addCancel,
    addRetry,
    addDelete,
    addAsks,
    addAnswer,
  ])
    add(program, cli)
  program.commandsGroup('Money:')
  for (const add of [addBudgets, addCosts]) add(program, cli)
  program.commandsGroup('Routing:')
  for (const add of [addRoutes, addModels, addPause, addResume, addConfig]) add(program, cli)
  return program
}
