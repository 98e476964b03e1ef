import type { Task, TierlineClient } from '../../client/index.ts'
import type { Cli, ServerFlags } from '../cli.ts'
import { connect } from '../cli.ts'
import { exitCodeOfError } from '../exit-code.ts'
import { errorToJson, renderError } from '../render-error.ts'

interface Act<Done> {
  act(client: TierlineClient, id: string): Promise<Done>
  /** What to say of it: `cancelled`. */
  done(result: Done): string
}

/**
 * Does one thing to several tasks; one that is refused keeps no other back, but decides the exit code.
 *
 * With `--json`: `{ "data": [{ "id", "task" } | { "id", "error" }] }`, in the order given.
 */
export async function forEachTask<Done extends Task | undefined>(
  cli: Cli,
  ids: readonly string[],
  flags: ServerFlags,
  { act, done }: Act<Done>,
): Promise<void> {
  const { terminal, settings } = cli
  const client = connect(cli, flags)
  const data: object[] = []
  for (const id of ids) {
    try {
      const task = await act(client, id)
      data.push({ id, ...(task !== undefined && { task }) })
      if (!flags.json) terminal.print(`${id}  ${done(task)}`)
    } catch (error) {
      cli.exitCode = exitCodeOfError(error)
      data.push({ id, ...errorToJson(error) })
      if (!flags.json) terminal.note(renderError(error, terminal, settings))
    }
  }
  if (flags.json) terminal.printJson({ data })
}
