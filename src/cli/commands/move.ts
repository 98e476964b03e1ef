import type { Command } from 'commander'
import { TierlineError } from '../../errors.ts'
import type { Cli } from '../cli.ts'
import { formatCount } from '../format/count.ts'
import { addExamples } from './server-flags.ts'

interface MoveFlags {
  to?: string
  dataDir?: string
  json?: boolean
}

export function addMove(program: Command, cli: Cli): void {
  const command = program
    .command('move')
    .description('carry everything from the Redis that "up" has started over to another one')
    .option('--to <url>', 'the Redis or Valkey that gets it (REDIS_URL)')
    .option('--data-dir <directory>', 'of the "up", which must be stopped (TIERLINE_DATA_DIR)')
    .option('--json', 'print JSON')
    .action((flags: MoveFlags) => move(cli, flags))
  addExamples(
    command,
    'tierline move --to redis://10.0.0.5:6379',
    'REDIS_URL_FILE=/run/secrets/redis tierline move --data-dir /var/lib/tierline',
  )
}

async function move({ terminal }: Cli, flags: MoveFlags): Promise<void> {
  // Loaded when they are needed: the other commands start faster.
  const { environmentOfProcess } = await import('../../config/environment.ts')
  const { readSettings } = await import('../../config/settings.ts')
  const { moveData } = await import('../../runtime/move.ts')
  const settings = readSettings(undefined, { dataDir: flags.dataDir, redisUrl: flags.to })
  const { redisUrl: to } = settings
  if (to === undefined) throw withoutTarget()
  if (!flags.json) terminal.note('moving … (do not start tierline on either side before this ends)')
  const moved = await moveData({ settings, to, environment: environmentOfProcess() })
  if (flags.json) return terminal.printJson(moved)
  terminal.print(`moved ${formatCount(moved.keys)} keys`)
  terminal.note(
    `The old data is in ${moved.kept}. From now on start tierline with REDIS_URL set to the new one.`,
  )
}

function withoutTarget(): TierlineError {
  const message = 'must be the URL of the Redis that gets everything; REDIS_URL will do'
  return new TierlineError('invalid_config', `Cannot move: --to is missing, it ${message}`, {
    errors: [{ field: '--to', message }],
  })
}
