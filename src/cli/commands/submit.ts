import { type Command, Option } from 'commander'
import { type Cli, commandLine, connect, type ServerFlags } from '../cli.ts'
import { headLine } from '../watch/render-task.ts'
import { createTaskView } from '../watch/task-view.ts'
import { waitForTask } from '../watch/wait-for-task.ts'
import { watchTask } from '../watch/watch-task.ts'
import {
  collectMetadata,
  collectPermissions,
  collectTexts,
  durationArgument,
  numberArgument,
  usdArgument,
} from './arguments.ts'
import { addExamples, addServerFlags } from './server-flags.ts'
import { type InputFlags, readTaskInput } from './task-input.ts'

interface SubmitFlags extends ServerFlags, InputFlags {
  watch?: boolean
  wait?: boolean
}

export function addSubmit(program: Command, cli: Cli): void {
  const command = program
    .command('submit')
    .description('queue a task')
    .argument('[prompt]', 'what to do; "-", or none with a pipe, reads it from stdin')
    .option('--type <type>', 'task type, which chooses the tier: see "tierline routes"')
    .option('--tier <tier>', 'tier, whatever the type says')
    .option('--model <provider/model>', 'this model and no other')
    .option('--dir <directory>', 'where to work (default: where the server does)')
    .addOption(new Option('--directory <directory>', 'the same as --dir').hideHelp().conflicts('dir'))
    .option('--file <path>', 'read the prompt from a file; "-" is stdin')
    .option(
      '--message <text>',
      'a further message, sent when the one before is answered (repeatable)',
      collectTexts,
    )
    .option('--session <id>', 'go on in this session, after what was sent there before')
    .option('--isolation <kind>', 'shared, exclusive (one at a time in its directory), or worktree')
    .option('--parent <id>', 'below this task, which waits for it')
    .option('--title <text>', 'title of the session')
    .option('--agent <name>', 'agent of OpenCode')
    .option('--priority <number>', '0 runs first, 9 last', numberArgument)
    .option('--delay <duration>', 'start no sooner: 30s, 5m', durationArgument)
    .option('--queue-timeout <duration>', 'longest time to wait for the start: 5m, 2h', durationArgument)
    .option('--timeout <duration>', 'longest time from start to end: 90s, 10m', durationArgument)
    .option('--max-cost <usd>', 'most it may cost, then it is stopped: 0.50', usdArgument)
    .option('--metadata <key=value>', 'something of your own (repeatable)', collectMetadata)
    .option(
      '--permission <name=action>',
      'what the agent may do: allow, deny or ask; "bash:git push *=ask" (repeatable)',
      collectPermissions,
    )
    .option('--idempotency-key <key>', 'submitted again with it, it is the same task')
    .addOption(new Option('--watch', 'show it while it runs').conflicts('wait'))
    .option('--wait', 'wait for the end and print the answer')
    .action(async (prompt: string | undefined, flags: SubmitFlags) => submit(cli, prompt, flags))
  addServerFlags(command)
  addExamples(
    command,
    'tierline submit --type lint "Find unused exports in src/"',
    'tierline submit --watch --dir . --type review "Review the last commit"',
    'git diff | tierline submit --type review --wait --file - > review.md',
    'tierline submit --model acme/big "Make a plan" --message "Now check it" --metadata team=core',
    'id=$(tierline submit "Explain this repository") && tierline watch $id',
  )
  command.addHelpText(
    'after',
    '\nPrints the id of the task; with --wait or --watch its answer, and exits with 1 when it fails.',
  )
}

async function submit(cli: Cli, prompt: string | undefined, flags: SubmitFlags): Promise<void> {
  const { terminal } = cli
  const input = await readTaskInput(prompt, flags, cli.settings.userDirectory)
  const client = connect(cli, flags)
  const handle = await client.enqueue(input)
  if (flags.watch) {
    cli.exitCode = await watchTask(cli, client, handle.id, flags)
  } else if (flags.wait) {
    if (!flags.json) terminal.note(`${handle.id} is queued; waiting for its end`)
    cli.exitCode = await waitForTask(cli, client, handle.id, flags)
  } else {
    const task = await handle.task()
    if (flags.json) return terminal.printJson(task)
    terminal.print(task.id)
    terminal.note(headLine(createTaskView(task), terminal.noteColors))
    terminal.note(`Watch it: ${commandLine(cli, `watch ${task.id}`, flags)}`)
  }
}
