import type { Command } from 'commander'
import type { Flags } from '../../config/variables.ts'

/** The flags of the commands that run something; each beats the environment variable named with it. */
export type SettingsFlags = Flags

/** Their values are checked where the environment is: `readSettings`. */
export function addSettingsFlags(command: Command): Command {
  return command
    .option('--config <file>', 'routing table (TIERLINE_CONFIG)')
    .option('--data-dir <directory>', 'where services keep their data and are found (TIERLINE_DATA_DIR)')
    .option('--namespace <name>', 'apart from others on the same Redis (TIERLINE_NAMESPACE)')
    .option('--redis-url <url>', 'a Redis or Valkey that runs already (REDIS_URL)')
    .option('--opencode-url <url>', 'OpenCode servers that run already (OPENCODE_URL)')
    .option('--log-level <level>', 'trace, debug, info, warn, error, fatal or silent (LOG_LEVEL)')
    .option('--json', 'print JSON')
}

/** The flags of those that listen. */
export function addListenFlags(command: Command): Command {
  return command
    .option('--host <address>', 'where the API listens (TIERLINE_HOST)')
    .option('--port <number>', 'where the API listens; 0: any free port (TIERLINE_PORT)')
}
