import type { TierlineClient } from '../../client/index.ts'
import type { Cli, ServerFlags } from '../cli.ts'
import { EXIT, exitCodeOfTask } from '../exit-code.ts'
import { cleanText } from '../format/clean.ts'
import { formatCount, totalTokens } from '../format/count.ts'
import { formatMicroUsd } from '../format/money.ts'
import { interruptible } from '../interruptible.ts'
import { errorLine } from './render-task.ts'
import { sayThatItGoesOn } from './say-that-it-goes-on.ts'
import { stateColor } from './state-word.ts'

/** Waits for the end and prints the answer and nothing else on stdout. Gives the exit code. */
export async function waitForTask(
  cli: Cli,
  client: TierlineClient,
  id: string,
  flags: ServerFlags,
): Promise<number> {
  const { terminal } = cli
  const outcome = await interruptible((signal) =>
    client
      .task(id)
      .result({ signal })
      .catch((error) => {
        if (signal.aborted) return undefined
        throw error
      }),
  )
  if (outcome === undefined) {
    sayThatItGoesOn(cli, id, flags)
    return EXIT.interrupted
  }
  const { state, result, error, usage, costMicroUsd } = outcome
  if (flags.json) {
    terminal.printJson(outcome)
    return exitCodeOfTask(outcome)
  }
  if (result !== null) terminal.print(cleanText(result.text))
  const colors = terminal.noteColors
  const word = stateColor({ state }, colors)(state)
  terminal.note(`${word}  ${formatCount(totalTokens(usage))} tokens  ${formatMicroUsd(costMicroUsd)}`)
  if (error !== null) terminal.note(errorLine(error, colors))
  return exitCodeOfTask(outcome)
}
