import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { createLogFile } from '../../src/services/log-file.ts'
import { test } from './service-test.ts'

describe('createLogFile()', () => {
  test('starts empty, for the owner only, in a directory it makes', ({ directory }) => {
    const path = join(directory, 'logs', 'redis.log')
    createLogFile(path).close()
    writeFileSync(path, 'of the last run')
    createLogFile(path).close()

    expect(readFileSync(path, 'utf8')).toBe('')
    expect(statSync(path).mode & 0o777).toBe(0o600)
  })

  test('moves to FILE.1 when it is full, so that two files bound it', ({ directory }) => {
    const path = join(directory, 'redis.log')
    const log = createLogFile(path, 10)
    for (const text of ['first...', 'second..', 'third...']) log.write(Buffer.from(text))
    log.close()

    expect([readFileSync(`${path}.1`, 'utf8'), readFileSync(path, 'utf8')]).toEqual(['second..', 'third...'])
  })

  test('tells its last lines', ({ directory }) => {
    const log = createLogFile(join(directory, 'redis.log'), 10)
    for (const text of ['one\ntwo\nth', 'ree\nfour\n']) log.write(Buffer.from(text))
    log.close()

    expect(log.tail(2)).toBe('three\nfour')
    log.write(Buffer.from('after the end'))
    expect(log.tail(1)).toBe('four')
  })
})
