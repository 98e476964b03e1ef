import { type Cli, commandLine, type ServerFlags } from '../cli.ts'

/** After Ctrl-C: the task is the server's, and only the watching has ended. */
export function sayThatItGoesOn({ terminal }: Cli, id: string, flags: ServerFlags): void {
  terminal.note(`\nThe task goes on. Watch it again:  ${commandLine(`watch ${id}`, flags)}`)
  terminal.note(`                  Stop it:         ${commandLine(`cancel ${id}`, flags)}`)
}
