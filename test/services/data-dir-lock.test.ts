import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { lockDataDir, refuseIfLocked } from '../../src/services/data-dir-lock.ts'
import { writeServices } from '../../src/services/services-file.ts'
import { test } from './service-test.ts'
import { startScript } from './start-script.ts'

test('refuseIfLocked() says at once who has it, and where to find them', async ({ directory }) => {
  refuseIfLocked(directory)
  const lock = await lockDataDir(directory, 0)
  writeServices(directory, {
    api: { url: 'http://127.0.0.1:4400' },
    redis: { url: 'redis://h' },
    opencode: [],
  })

  expect(() => refuseIfLocked(directory)).toThrow(
    `Cannot use the data directory "${directory}": it is used by process ${process.pid} (up of another "tierline up" at http://127.0.0.1:4400); stop that one`,
  )
  lock.release()
  refuseIfLocked(directory)
})

describe('lockDataDir()', () => {
  test('makes the directory, and leaves nothing in it after release()', async ({ directory }) => {
    const dataDir = join(directory, 'a', 'b')
    const lock = await lockDataDir(dataDir)
    expect(readdirSync(dataDir)).toEqual(['lock'])
    lock.release()
    lock.release()

    expect(readdirSync(dataDir)).toEqual([])
  })

  test('refuses a directory in use, and says by which process', async ({ directory }) => {
    const holder = await startScript('lock-holder.ts', directory, '0')

    await expect(lockDataDir(directory, 0)).rejects.toMatchObject({
      code: 'data_dir_locked',
      retryable: true,
      message: `Cannot use the data directory "${directory}": it is used by process ${holder.process.pid} (up of another "tierline up"); stop that one, or set TIERLINE_DATA_DIR to another directory`,
      errors: [{ field: 'TIERLINE_DATA_DIR', given: directory }],
    })
    await holder.kill('SIGKILL')
  })

  test('waits for a predecessor that ends', async ({ directory }) => {
    const first = await lockDataDir(directory)
    const second = lockDataDir(directory, 60_000)
    first.release()

    await expect(second).resolves.toBeDefined()
  })

  test('takes the place of a holder that was killed', async ({ directory }) => {
    const holder = await startScript('lock-holder.ts', directory, '0')
    await holder.kill('SIGKILL')
    const lock = await lockDataDir(directory, 0)
    lock.release()

    expect(readdirSync(directory)).toEqual([])
  })

  test('is not free while a service of a killed holder lives', async ({ directory }) => {
    const holder = await startScript('lock-holder.ts', directory, '0', 'with-service')
    const { service } = holder.output as { service: number }
    await holder.kill('SIGKILL')

    await expect(lockDataDir(directory, 0)).rejects.toThrow(`is used by process ${service} (redis of another`)
    process.kill(service, 'SIGKILL')
    await expect(lockDataDir(directory, 60_000)).resolves.toBeDefined()
  })

  test('lets one of many take a dead lock', async ({ directory }) => {
    const dead = await startScript('lock-holder.ts', directory, '0')
    await dead.kill('SIGKILL')
    const rivals = await Promise.all(
      Array.from({ length: 6 }, () => startScript('lock-holder.ts', directory, '0')),
    )

    expect(
      rivals.map(({ output }) => output).filter((output) => 'locked' in (output as object)),
    ).toHaveLength(1)
    await Promise.all(rivals.map((rival) => rival.kill('SIGKILL')))
  })
})
