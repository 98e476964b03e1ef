/** A Redis that keeps what it was told, and can be killed and started again with its data. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { findOnPath } from '../../src/services/find-on-path.ts'
import { freePort } from '../../src/services/free-port.ts'

export interface ChaosRedis {
  readonly port: number
  /** `redis-server, AOF everysec` */
  readonly description: string
  kill(): Promise<void>
  start(): Promise<void>
  stop(): Promise<void>
}

const START_DEADLINE_MS = 30_000

/** @throws {Error} where there is no server that would survive a kill: nothing could be proved. */
export async function startChaosRedis(dir: string): Promise<ChaosRedis> {
  const command = ['redis-server', 'valkey-server'].find((name) => findOnPath(name, process.env.PATH))
  if (command === undefined) throw new Error('Cannot run chaos: no redis-server or valkey-server on PATH')
  mkdirSync(dir)
  const port = await freePort()
  const args = [
    ...['--port', String(port), '--bind', '127.0.0.1', '--dir', dir, '--save', ''],
    ...['--appendonly', 'yes', '--appendfsync', 'everysec', '--maxmemory-policy', 'noeviction'],
  ]
  let child: ChildProcess

  async function start(): Promise<void> {
    child = spawn(command!, args, { stdio: 'ignore' })
    for (const deadline = Date.now() + START_DEADLINE_MS; !(await answers(port)); await sleep(20))
      if (Date.now() > deadline) throw new Error(`Cannot start ${command}: no answer at port ${port}`)
  }

  async function kill(): Promise<void> {
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
  }

  await start()
  return { port, description: `${command}, AOF everysec`, kill, start, stop: kill }
}

/** True when it has loaded its data. */
function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'))
    socket.once('data', (bytes) => {
      socket.destroy()
      resolve(bytes.toString().startsWith('+PONG'))
    })
    socket.once('error', () => resolve(false))
  })
}
