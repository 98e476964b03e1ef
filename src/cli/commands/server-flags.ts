import type { Command } from 'commander'

/** The flags of every command that asks the server: `ServerFlags`. */
export function addServerFlags(command: Command): Command {
  return command
    .option(
      '--url <url>',
      'where the server is (default: TIERLINE_HOST and TIERLINE_PORT, or the one that runs here)',
    )
    .option('--key <secret>', 'API key (default: the first of TIERLINE_API_KEYS)')
    .option('--data-dir <directory>', 'of the running "up", which tells where its server is')
    .option('--json', 'print JSON')
}

/** Examples at the end of a help text, one a line. */
export function addExamples(command: Command, ...examples: string[]): Command {
  return command.addHelpText('after', `\nExamples:\n${examples.map((example) => `  ${example}`).join('\n')}`)
}
