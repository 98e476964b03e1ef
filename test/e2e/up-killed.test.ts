/** What is left when processes die that nobody asked to. */
import { mkdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createClient } from '../../src/client/index.ts'
import { processesOf } from '../setup/processes.ts'
import { createHome, type Home, startTierline, type TierlineProcess } from '../setup/tierline-process.ts'

let home: Home
let up: TierlineProcess

beforeEach(async () => {
  home = await createHome()
  up = await startTierline(home, ['up'])
}, 120_000)

afterEach(async () => {
  await up.end('SIGKILL')
  await home.remove()
})

test('up killed with -9 while a task runs: children and services end by themselves', async () => {
  const client = createClient({ url: up.ready.url })
  await client.enqueue({ type: 'lint', prompt: '@say: begun @hold:orphan' })
  await home.provider.held('orphan')

  await up.end('SIGKILL')

  await expect.poll(() => processesOf(home.dir), { timeout: 30_000 }).toEqual([])
})

test('API and worker killed with -9 are started again, and the task that ran ends', async () => {
  const client = createClient({ url: up.ready.url })
  const handle = await client.enqueue({ type: 'lint', prompt: '#task-all @say: begun @hold:all @say: ended' })
  await home.provider.held('all')
  const children = processesOf(home.dir).filter(({ command }) => /workers\/(api|tasks)\.ts/.test(command))
  expect(children.length).toBe(2)

  for (const { pid } of children) process.kill(pid, 'SIGKILL')
  home.provider.release('all')

  await expect(handle.result()).resolves.toMatchObject({
    state: 'succeeded',
    result: { text: 'begun ended' },
  })
  expect(home.provider.ledger.paid({ marker: 'task-all' }).length).toBe(1)
  expect((await client.version()).name).toBe('tierline')
})

test('a service is started again also while the lock of the data directory takes no write', async () => {
  const client = createClient({ url: up.ready.url })
  const lock = join(home.dataDir, 'lock')
  renameSync(lock, `${lock}.kept`)
  // As a full disk would: nothing can be renamed to it.
  mkdirSync(lock)
  const openCode = processesOf(home.dir).filter(({ command }) => / serve /.test(command))

  for (const { pid } of openCode) process.kill(pid, 'SIGKILL')
  await expect.poll(() => up.chatter(), { timeout: 60_000 }).toContain('a service was started again')
  rmSync(lock, { recursive: true })
  renameSync(`${lock}.kept`, lock)

  expect(up.chatter()).toContain('cannot note a service in the lock of the data directory')
  const task = await client.enqueue({ type: 'lint', prompt: '@say: still here' })
  await expect(task.result()).resolves.toMatchObject({ result: { text: 'still here' } })
  expect(await up.end('SIGTERM')).toBe(0)
})
