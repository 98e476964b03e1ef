import { type Cli, commandLine, type ServerFlags } from '../cli.ts'

/** After Ctrl-C: the task is the server's, and only the watching has ended. */
export function sayThatItGoesOn(cli: Cli, id: string, flags: ServerFlags): void {
  cli.terminal.note(
    [
      '',
      'The task goes on.',
      `  watch it again: ${commandLine(cli, `watch ${id}`, flags)}`,
      `  stop it:        ${commandLine(cli, `cancel ${id}`, flags)}`,
    ].join('\n'),
  )
}
