/**
 * Process role: embedded Valkey. Reads its settings (`ValkeySettings`) from stdin as JSON, prints one line of JSON
 * (`ValkeyOutput`) when it listens, ends on SIGTERM with a last snapshot.
 */
import { json } from 'node:stream/consumers'
import { startDurableValkey } from '../src/redis/embedded/durable-valkey.ts'
import { lockDataDir } from '../src/services/data-dir-lock.ts'
import { freePort } from '../src/services/free-port.ts'
import { type ValkeyOutput, ValkeySettings } from '../src/services/valkey-service.ts'

const {
  directory,
  password,
  fsync,
  lockWaitMs,
  port: given,
} = ValkeySettings.parse(await json(process.stdin))
const port = given || (await freePort())

try {
  const lock = await lockDataDir(directory, lockWaitMs, 'valkey')
  const { bytes, notes, stop } = await startDurableValkey({
    directory,
    port,
    password,
    fsync,
    report: (sentence) => console.error(sentence),
    onFailure(error) {
      console.error('The embedded Valkey has ended by itself:', error)
      process.exit(1)
    },
  })
  process.on('SIGTERM', async () => {
    await stop()
    lock.release()
    process.exit(0)
  })
  const url = `redis://:${password}@127.0.0.1:${port}`
  console.log(JSON.stringify({ url, bytes, notes: [...notes] } satisfies ValkeyOutput))
} catch (error) {
  console.error((error as Error).message)
  process.exit(1)
}
