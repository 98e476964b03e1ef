import { type Cli, commandLine, type ServerFlags } from '../cli.ts'

/** After Ctrl-C: the task is the server's, and only the watching has ended. */
export function sayThatItGoesOn({ terminal }: Cli, id: string, flags: ServerFlags): void {
  terminal.note(
    [
      '',
      'The task goes on.',
      `  watch it again: ${commandLine(`watch ${id}`, flags)}`,
      `  stop it:        ${commandLine(`cancel ${id}`, flags)}`,
    ].join('\n'),
  )
}
