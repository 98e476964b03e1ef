import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { RETRY_TABLE, type RetryRule } from '../../src/runner/retry-policy.ts'

const page = readFileSync('docs/reliability.md', 'utf8')

test('docs/reliability.md has every rule of the retry table, in its order, and no other', () => {
  const [, inside = ''] = page.split(/<!-- \/?retries[^>]*-->/)
  const rows = inside.trim().split('\n').slice(2)

  expect(rows).toEqual(RETRY_TABLE.map(rowOf))
})

const ACTIONS = { same: 'same model', next: 'next model', final: 'failure' }

function rowOf({ name, when, action, cools }: RetryRule): string {
  const { httpStatus, code, cause, retryable } = when
  const [from, to] = httpStatus ?? []
  const told = [
    from !== undefined && (from === to ? `HTTP ${from}` : `HTTP ${from} to ${to}`),
    code && `\`${code}\``,
    cause,
    retryable && 'OpenCode says that it may pass',
  ].filter(Boolean)
  return `| ${name} | ${told.join(', ')} | ${ACTIONS[action]} | ${cools ? 'yes' : 'no'} |`.replace(
    '|  |',
    '| |',
  )
}
