/** The command line: arguments in, exit code out. */
import { CommanderError } from 'commander'
import { readClientSettings } from '../config/client-settings.ts'
import { commandName } from '../config/command-name.ts'
import { environmentOfProcess } from '../config/environment.ts'
import type { Cli } from './cli.ts'
import { exitCodeOfError } from './exit-code.ts'
import { createProgram } from './program.ts'
import { errorToJson, renderError } from './render-error.ts'
import { createTerminal, type Terminal } from './terminal.ts'

/** Runs one command and sets the exit code of the process, which ends when nothing is left to do. */
export async function main(argv: readonly string[]): Promise<void> {
  endQuietlyOnBrokenPipe()
  let terminal = terminalOf(false)
  let debug = false
  try {
    const settings = readClientSettings()
    terminal = terminalOf(settings.dumbTerminal)
    debug = settings.debug
    const cli: Cli = { terminal, settings, exitCode: 0 }
    await createProgram(cli).parseAsync(argv)
    process.exitCode = cli.exitCode
  } catch (error) {
    process.exitCode = exitCodeOfError(error)
    // Commander has said already what is wrong.
    if (error instanceof CommanderError) return
    if (argv.includes('--json')) terminal.note(JSON.stringify(errorToJson(error)))
    else terminal.note(renderError(error, terminal, { debug }))
  }
}

function terminalOf(dumb: boolean): Terminal {
  const command = commandName(environmentOfProcess())
  return createTerminal({ stdout: process.stdout, stderr: process.stderr, dumb, command })
}

/** `tierline list | head -1`: nobody reads any more, and that is no failure. */
function endQuietlyOnBrokenPipe(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0)
    throw error
  })
  process.stderr.on('error', () => {})
}
