import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fits } from '../../src/tasks/permissions.ts'

describe('fits()', () => {
  test.each([
    ['*', 'anything'],
    ['git *', 'git push'],
    ['git *', 'git'],
    ['git **', 'git'],
    ['*.ts', 'src/a/b.ts'],
    ['a?c', 'abc'],
    ['a*b*c', 'a-b-b-c'],
    ['echo *', 'echo a\nb'],
    ['[ab]+', '[ab]+'],
  ])('"%s" fits "%s"', (pattern, text) => expect(fits(pattern, text)).toBe(true))

  test.each([
    ['git *', 'gitk'],
    ['a?c', 'ac'],
    ['*.ts', 'a.tsx'],
    ['a.c', 'abc'],
    ['', 'a'],
  ])('"%s" does not fit "%s"', (pattern, text) => expect(fits(pattern, text)).toBe(false))

  test('says what the regular expression of the pattern says', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', ' ', '.', '\n'), maxLength: 8 })
    const pattern = fc.string({ unit: fc.constantFrom('a', 'b', ' ', '.', '*', '?'), maxLength: 6 })

    fc.assert(
      fc.property(pattern, text, (wanted, given) => {
        expect(fits(wanted, given)).toBe(regExpOf(wanted).test(given))
      }),
      { numRuns: 5_000 },
    )
  })

  test('takes no time to speak of for a pattern that a regular expression would take years for', () => {
    expect(fits(`${'*a'.repeat(400)}b`, 'a'.repeat(20_000))).toBe(false)
  })
})

function regExpOf(pattern: string): RegExp {
  const source = pattern
    .replaceAll('.', '\\.')
    .replace(/\*+/g, '.*')
    .replaceAll('?', '.')
    .replace(/ \.\*$/, '( .*)?')
  return new RegExp(`^${source}$`, 's')
}
