import { readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { FSYNC_POLICIES } from '../../src/redis/embedded/write-ahead-log.ts'
import { eventually } from '../setup/eventually.ts'
import { fill, mountSmallDisk, PAGE_BYTES } from '../setup/small-disk.ts'
import { createTestValkey } from './test-valkey.ts'

const VALUE = 'x'.repeat(100_000)

describe('on a full disk the embedded Valkey', () => {
  test.for(FSYNC_POLICIES)(
    'refuses writes, goes on reading, and loses nothing that it acknowledged, with fsync %s',
    async (fsync, { skip }) => {
      const disk = mountSmallDisk('24m')
      if (disk === undefined) return skip('only root may mount the small disk that this needs')
      const ballast = join(disk, 'ballast')
      writeFileSync(ballast, Buffer.alloc(12_000_000))
      const valkey = await createTestValkey(disk, fsync)
      onTestFinished(() => valkey.close())
      await valkey.start()
      const redis = await valkey.connect()

      const acknowledged = new Set<string>()
      const add = async (key: string): Promise<void> => {
        await redis.set(key, VALUE)
        acknowledged.add(key)
      }
      let refusal: Error | undefined
      for (let i = 0; refusal === undefined; i += 1)
        await add(`full${i}`).catch((error: Error) => {
          refusal = error
        })
      expect(refusal.message).toMatch(/^MISCONF/)
      expect(acknowledged.size).toBeGreaterThan(50)
      expect(await redis.get('full7')).toBe(VALUE)
      await expect(redis.eval("return redis.call('INCR', KEYS[1])", 1, 'n')).rejects.toThrow(/MISCONF/)
      expect(valkey.printed()).toContain('ENOSPC')

      // With room again it goes on by itself.
      rmSync(ballast)
      await eventually(() => add('again'))
      await valkey.kill()
      expect((await valkey.start()).notes).toEqual([])
      for (const key of acknowledged) expect((await redis.get(key)) === VALUE).toBe(true)
      expect(await redis.exists('n')).toBe(0)
    },
  )

  test('starts when there is room for its lock alone, reads, and writes again when there is more', async ({
    skip,
  }) => {
    const disk = mountSmallDisk('16m')
    if (disk === undefined) return skip('only root may mount the small disk that this needs')
    const valkey = await createTestValkey(disk, 'everysec')
    onTestFinished(() => valkey.close())
    await valkey.start()
    const redis = await valkey.connect()
    await redis.set('before', VALUE)
    await valkey.stop()
    const ballast = join(disk, 'ballast')
    truncateSync(ballast, fill(ballast) - PAGE_BYTES)

    const { notes } = await valkey.start()
    expect(notes).toEqual([
      expect.stringMatching(/^Cannot write to ".*": ENOSPC.*; writes are refused until that works again$/),
    ])
    expect((await redis.get('before')) === VALUE).toBe(true)
    await expect(redis.set('refused', 1)).rejects.toThrow(/^MISCONF/)
    // Whoever ends it now ends it well, and it starts again.
    await valkey.stop()
    await valkey.start()

    rmSync(ballast)
    await eventually(() => redis.set('after', 1))
    await valkey.kill()
    expect((await valkey.start()).notes).toEqual([])
    expect(await redis.exists('before', 'refused', 'after')).toBe(2)
  })

  test('is not started without room for its lock, and says so', async ({ skip }) => {
    const disk = mountSmallDisk('16m')
    if (disk === undefined) return skip('only root may mount the small disk that this needs')
    const valkey = await createTestValkey(disk, 'everysec')
    onTestFinished(() => valkey.close())
    await valkey.start()
    await (await valkey.connect()).set('before', VALUE)
    await valkey.kill()
    const before = readdirSync(valkey.directory)
    fill(join(disk, 'ballast'))

    await expect(valkey.start()).rejects.toThrow(
      `Cannot use the data directory "${valkey.directory}": it must have room for its lock, and its disk is full`,
    )
    expect(readdirSync(valkey.directory)).toEqual(before)
  })
})
