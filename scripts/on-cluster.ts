/**
 * Runs a command with REDIS_URL set to a fresh three-node cluster on loopback, and ends the cluster after it:
 * `npm run on-cluster -- vitest run test/queues`.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { startRedisCluster } from '../test/setup/redis-cluster.ts'
import { noRedisServer } from '../test/setup/redis-node.ts'

const [command, ...args] = process.argv.slice(2)
const reason = command === undefined ? 'say which command' : noRedisServer()
if (reason !== undefined) {
  console.error(`Cannot run anything on a cluster: ${reason}`)
  process.exit(2)
}

const cluster = await startRedisCluster()
console.error(`REDIS_URL=${cluster.url}`)
const child = spawn(command!, args, { stdio: 'inherit', env: { ...process.env, REDIS_URL: cluster.url } })
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal))
const [code] = (await once(child, 'exit')) as [number | null]
await cluster.stop()
process.exitCode = code ?? 1
