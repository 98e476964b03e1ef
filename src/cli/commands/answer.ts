import type { Command } from 'commander'
import type { Ask, AskAnswer } from '../../client/index.ts'
import { TierlineError } from '../../errors.ts'
import { type Cli, connect, type ServerFlags } from '../cli.ts'
import { describeAsk } from './asks.ts'
import { addExamples, addServerFlags } from './server-flags.ts'

interface AnswerFlags extends ServerFlags {
  ask?: string
  message?: string
}

const REPLIES = ['once', 'always', 'reject'] as const

export function addAnswer(program: Command, cli: Cli): void {
  const command = program
    .command('answer')
    .description('answer what a task asks')
    .argument('<id>', 'of the task')
    .argument('<answer...>', 'once, always or reject; of questions the text of each answer, or reject')
    .option('--ask <id>', 'which one (default: the oldest that is open)')
    .option('--message <text>', 'why, for the agent to read')
    .action((id: string, answer: string[], flags: AnswerFlags) => giveAnswer(cli, id, answer, flags))
  addServerFlags(command)
  addExamples(
    command,
    'tierline answer tsk_01k0a1b2c3d4e5f6g7h8j9k0m1 once',
    'tierline answer tsk_01k0a1b2c3d4e5f6g7h8j9k0m1 reject --message "Open a pull request instead"',
    'tierline answer tsk_01k0a1b2c3d4e5f6g7h8j9k0m1 Postgres --ask que_2060159910018LgbhSRG1HJrHP',
  )
}

async function giveAnswer(cli: Cli, id: string, words: readonly string[], flags: AnswerFlags): Promise<void> {
  const { terminal } = cli
  const client = connect(cli, flags)
  const asks = await client.asks(id)
  const ask = asks.find((one) => (flags.ask === undefined ? one.state === 'open' : one.id === flags.ask))
  if (ask === undefined)
    throw new TierlineError(
      'ask_not_found',
      `Cannot answer: task "${id}" ${flags.ask === undefined ? 'asks nothing now' : `has no ask "${flags.ask}"`}`,
    )
  const answered = await client.answer(id, ask.id, answerOf(ask, words, flags.message))
  if (flags.json) return terminal.printJson(answered)
  terminal.print(`${answered.id}  ${answered.state}`)
  terminal.note(describeAsk(answered))
}

function answerOf({ kind }: Ask, words: readonly string[], message: string | undefined): AskAnswer {
  const [word] = words
  const reply = words.length === 1 ? REPLIES.find((one) => one === word) : undefined
  if (reply !== undefined && (kind === 'permission' || reply === 'reject'))
    return { reply, ...(message !== undefined && { message }) }
  if (kind === 'question') return { answers: words.map((text) => [text]) }
  throw new TierlineError(
    'invalid_input',
    'Cannot answer: a permission is given once, always, or not at all',
    {
      errors: [
        { field: 'answer', message: 'must be one of these', given: words.join(' '), allowed: REPLIES },
      ],
    },
  )
}
