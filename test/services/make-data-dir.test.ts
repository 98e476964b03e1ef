import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { makeDataDir } from '../../src/services/make-data-dir.ts'

const home = mkdtempSync(join(tmpdir(), 'tierline-data-dir-'))
afterAll(() => rmSync(home, { recursive: true }))

test('makeDataDir() makes what is missing, and takes what is there', () => {
  const dir = join(home, 'a/b/c')
  makeDataDir(dir)
  makeDataDir(dir)
  expect(statSync(dir).mode & 0o777).toBe(0o700)
})

test.each([
  ['a file', () => join(home, 'file')],
  ['below a file', () => join(home, 'file/below')],
  ['where the system makes none', () => '/proc/tierline/data'],
])('makeDataDir() refuses %s', (_, path) => {
  writeFileSync(join(home, 'file'), '')
  expect(() => makeDataDir(path())).toThrow(
    expect.objectContaining({
      code: 'invalid_config',
      errors: [expect.objectContaining({ field: 'TIERLINE_DATA_DIR' })],
    }),
  )
})
