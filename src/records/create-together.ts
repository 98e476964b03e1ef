import { createBatcher } from '../redis/batcher.ts'
import type { Keys } from '../redis/keys.ts'
import type { RunScript } from '../redis/scripts.ts'
import type { RecordFields } from './record-fields.ts'

export interface NewRecord {
  id: string
  fields: RecordFields
  /** The line it gets a place in; `undefined`: none. */
  line: string | undefined
}

/**
 * Writes new records. Those that come in one turn of the event loop go out as one script, which under load
 * halves what each of them costs Redis and this process.
 *
 * Resolves to how many must leave its line before it; to `undefined` when `maxLive` tasks live already: nothing was
 * written then.
 */
export function createTogether(options: {
  scripts: RunScript
  keys: Keys
  maxLive: number
}): (record: NewRecord) => Promise<number | undefined> {
  const { scripts, keys, maxLive } = options

  async function send(records: readonly NewRecord[]): Promise<readonly number[]> {
    const args: (string | number)[] = [keys.tasks, keys.live]
    for (const { id } of records) args.push(keys.task(id))
    args.push(keys.root, maxLive)
    for (const { id, fields, line = '' } of records) {
      const at = args.push(id, line, 0) - 1
      for (const field in fields) args.push(field, fields[field]!)
      args[at] = args.length - at - 1
    }
    return (await scripts('create-tasks', args, 2 + records.length)) as number[]
  }

  return createBatcher<NewRecord, number | undefined>(send, { until: 'turn' })
}
