/**
 * Process role: embedded Valkey. Reads `{"port": 0, "password": "…"}` from stdin (0: any free port), prints
 * `{"url": "redis://…"}` when it listens, ends on SIGTERM.
 */
import { json } from 'node:stream/consumers'
import { z } from 'zod'
import { EmbeddedValkey } from '../src/redis/embedded/embedded-valkey.ts'
import { freePort } from '../src/services/free-port.ts'

const Settings = z.strictObject({ port: z.int().min(0).max(65_535), password: z.string().min(1) })

const { port, password } = Settings.parse(await json(process.stdin))
const server = new EmbeddedValkey({
  port: port || (await freePort()),
  password,
  onFailure(error) {
    console.error('The embedded Valkey has ended by itself:', error)
    process.exit(1)
  },
})

process.on('SIGTERM', () => void server.stop().then(() => process.exit(0)))
await server.start()
console.error('Embedded Valkey keeps nothing: what it holds is gone when it ends.')
console.log(JSON.stringify({ url: server.url }))
