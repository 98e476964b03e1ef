import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import {
  readServices,
  removeServices,
  type Services,
  writeServices,
} from '../../src/services/services-file.ts'
import { fill, mountSmallDisk } from '../setup/small-disk.ts'
import { test } from './service-test.ts'

const SERVICES: Services = {
  api: { url: 'http://127.0.0.1:4400' },
  redis: { url: 'redis://:secret@127.0.0.1:7000' },
  opencode: [{ name: 'local', url: 'http://127.0.0.1:7001', username: 'opencode', password: 'secret' }],
}

describe('writeServices()', () => {
  test('says so when the disk is full, and leaves what was there', ({ skip }) => {
    const disk = mountSmallDisk('64k')
    if (disk === undefined) return skip('only root may mount the small disk that this needs')
    writeServices(disk, SERVICES)
    fill(join(disk, 'ballast'))
    const before = readdirSync(disk)

    expect(() => writeServices(disk, { ...SERVICES, opencode: [] })).toThrow(
      expect.objectContaining({
        code: 'invalid_config',
        message: `Cannot use the data directory "${disk}": it must have room for services.json, and its disk is full (ENOSPC); a megabyte is enough to read what is there`,
        errors: [expect.objectContaining({ field: 'TIERLINE_DATA_DIR', given: disk })],
      }),
    )
    expect(readdirSync(disk)).toEqual(before)
    expect(readServices(disk)).toEqual(SERVICES)
  })
})

describe('readServices()', () => {
  test('gives what a living process wrote', ({ directory }) => {
    writeServices(directory, SERVICES)

    expect(readServices(directory)).toEqual(SERVICES)
    expect(statSync(join(directory, 'services.json')).mode & 0o777).toBe(0o600)
  })

  test('gives the last ones written', ({ directory }) => {
    writeServices(directory, SERVICES)
    writeServices(directory, { ...SERVICES, opencode: [] })

    expect(readServices(directory)?.opencode).toEqual([])
  })

  test('is undefined when there are none, or no more', ({ directory }) => {
    expect(readServices(directory)).toBeUndefined()
    writeServices(directory, SERVICES)
    removeServices(directory)
    removeServices(directory)

    expect(readServices(directory)).toBeUndefined()
  })

  test.for([
    ['a process that has ended', { pid: 2 ** 30 }],
    ['an earlier process with an id that lives', { started: 'another boot/1' }],
  ] as const)('ignores those of %s', ([, change], { directory }) => {
    writeServices(directory, SERVICES)
    edit(directory, (file) => Object.assign(file.up as object, change))

    expect(readServices(directory)).toBeUndefined()
  })

  test('ignores a file of another version, and one that is no JSON', ({ directory }) => {
    writeServices(directory, SERVICES)
    edit(directory, (file) => Object.assign(file, { version: 2 }))
    expect(readServices(directory)).toBeUndefined()

    writeFileSync(join(directory, 'services.json'), '{"version": 1, ')
    expect(readServices(directory)).toBeUndefined()
  })
})

function edit(directory: string, change: (file: Record<string, unknown>) => void): void {
  const path = join(directory, 'services.json')
  const file = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>
  change(file)
  writeFileSync(path, JSON.stringify(file))
}
