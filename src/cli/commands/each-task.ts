import type { TierlineClient } from '../../client/index.ts'
import type { Cli, ServerFlags } from '../cli.ts'
import { connect } from '../cli.ts'
import { exitCodeOfError } from '../exit-code.ts'
import { errorToJson, renderError } from '../render-error.ts'

/**
 * Does one thing to several tasks; one that is refused keeps no other back, but decides the exit code.
 *
 * With `--json`: `{ "data": [{ "id", "task" } | { "id", "error" }] }`, in the order given.
 */
export async function forEachTask(
  cli: Cli,
  ids: readonly string[],
  flags: ServerFlags,
  { act, done }: { act(client: TierlineClient, id: string): Promise<unknown>; done: string },
): Promise<void> {
  const { terminal, settings } = cli
  const client = connect(cli, flags)
  const data: object[] = []
  for (const id of ids) {
    try {
      const task = await act(client, id)
      data.push({ id, ...(task !== undefined && { task }) })
      if (!flags.json) {
        terminal.print(id)
        terminal.note(done)
      }
    } catch (error) {
      cli.exitCode = exitCodeOfError(error)
      data.push({ id, ...errorToJson(error) })
      if (!flags.json)
        terminal.note(renderError(error, { colors: terminal.noteColors, debug: settings.debug }))
    }
  }
  if (flags.json) terminal.printJson({ data })
}
