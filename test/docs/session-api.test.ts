import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { ALLOWED } from '../../src/http/session-api/allow-list.ts'

test('docs/session-api.md lists what is passed on, and nothing else', () => {
  const page = readFileSync('docs/session-api.md', 'utf8')
  const table = page.split(/<!-- \/?allowed.*-->/)[1]!
  const listed = [...table.matchAll(/^\| `(\w+ \S+)` \| (.*)\|$/gm)].map(([, operation, what]) => [
    operation,
    what!.includes('without secrets'),
  ])

  expect(listed).toEqual(ALLOWED.map(({ method, path, shape }) => [`${method} ${path}`, shape === 'masked']))
})
