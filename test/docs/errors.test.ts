import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ERRORS, type ErrorCode } from '../../src/errors.ts'

const CODES = Object.keys(ERRORS) as ErrorCode[]
const ROW = /^\| `(\w+)` \| (.+?) \| (\d{3}) \| (yes|no) \| (.+) \|$/gm

test('docs/errors.md has every code with title, status and whether a retry may help, and no other', () => {
  const rows = [...page().matchAll(ROW)].map(([, code, title, status, again]) => [
    code,
    { title, status: Number(status), retryable: again === 'yes' },
  ])

  expect(rows).toHaveLength(CODES.length)
  expect(Object.fromEntries(rows)).toEqual(ERRORS)
})

test('docs/errors.md says of every code when it happens', () => {
  for (const [, code, , , , when = ''] of page().matchAll(ROW)) expect(when.length, code).toBeGreaterThan(20)
})

test('every code is raised somewhere in src/', () => {
  // These only speak of codes.
  const speakers = /^(errors\.ts|http\/(routes\/|openapi\.ts)|cli\/render-error\.ts)/
  const source = readdirSync('src', { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !speakers.test(file))
    .map((file) => readFileSync(join('src', file), 'utf8'))
    .join('\n')

  expect(CODES.filter((code) => !source.includes(`'${code}'`))).toEqual([])
})

function page(): string {
  return readFileSync('docs/errors.md', 'utf8').split(/<!-- \/?codes.*-->/)[1]!
}
