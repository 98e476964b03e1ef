import { describe, expect, test } from 'vitest'
import { cleanLine, cleanText } from '../../../src/cli/format/clean.ts'
import { formatDuration, parseDurationMs } from '../../../src/cli/format/duration.ts'
import { formatMicroUsd, formatPrice } from '../../../src/cli/format/money.ts'
import { renderColumns, renderGrid, renderPairs } from '../../../src/cli/format/table.ts'

describe('formatMicroUsd()', () => {
  test.each([
    [0, '$0'],
    [1, '$0.000001'],
    [123, '$0.000123'],
    [12_345, '$0.0123'],
    [999_949, '$0.9999'],
    [1_000_000, '$1.00'],
    [1_234_567_890, '$1,234.57'],
  ])('%i → %s', (microUsd, text) => {
    expect(formatMicroUsd(microUsd)).toBe(text)
  })
})

describe('formatPrice()', () => {
  test.each([
    [3_000_000, '$3'],
    [250_000, '$0.25'],
    [75, '$0.000075'],
  ])('%i → %s', (price, text) => {
    expect(formatPrice(price)).toBe(text)
  })
})

describe('formatDuration()', () => {
  test.each([
    [-5, '0 ms'],
    [999, '999 ms'],
    [1000, '1.0 s'],
    [59_949, '59.9 s'],
    [59_950, '1 m 00 s'],
    [65_000, '1 m 05 s'],
    [3_599_499, '59 m 59 s'],
    [3_600_000, '1 h 00 m'],
    [90 * 60_000, '1 h 30 m'],
    [24 * 3_600_000, '1 d 00 h'],
    [100 * 3_600_000, '4 d 04 h'],
  ])('%i → %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text)
  })
})

describe('parseDurationMs()', () => {
  test.each([
    ['500ms', 500],
    ['1.5s', 1500],
    ['10 m', 600_000],
    ['2h', 7_200_000],
    ['1d', 86_400_000],
    ['5', undefined],
    ['-5s', undefined],
    ['5 weeks', undefined],
    ['', undefined],
  ])('"%s" → %s', (text, ms) => {
    expect(parseDurationMs(text)).toBe(ms)
  })
})

describe('cleanText()', () => {
  test.each([
    ['a color', 'a\u001b[31mb\u001b[0mc', 'abc'],
    ['a title', 'a\u001b]0;evil\u0007b', 'ab'],
    ['the clipboard', 'a\u001b]52;c;ZXZpbA==\u001b\\b', 'ab'],
    ['the screen', '\u001b[2J\u001b[Ha', 'a'],
    ['an 8-bit sequence', 'a\u009b31mb', 'ab'],
    ['half a sequence', 'a\u001b', 'a'],
    ['a bell, a backspace and a carriage return', 'a\u0007\b\rb', 'ab'],
    ['text that turns around', 'a\u202eb', 'ab'],
  ])('takes out %s', (_what, text, clean) => {
    expect(cleanText(text)).toBe(clean)
  })

  test('keeps lines, tabs and all languages', () => {
    const text = 'one\n\ttwo é 日本 😀 שלום'

    expect(cleanText(text)).toBe(text)
  })
})

describe('cleanLine()', () => {
  test('makes one line of several', () => {
    expect(cleanLine('  a\r\n\tb \u001b[2Jc ')).toBe('a b c')
  })
})

describe('tables', () => {
  const columns = [{ title: 'NAME' }, { title: 'N', align: 'right' as const }]

  test('renderColumns() lines up and trims', () => {
    expect(
      renderColumns(columns, [
        ['a', '1'],
        ['bcdefg', '1,234'],
      ]),
    ).toBe('NAME        N\na           1\nbcdefg  1,234')
  })

  test('no cell can break out of its line', () => {
    expect(renderColumns(columns, [['a\nb\u001b[2J', '1']])).toBe('NAME  N\na b   1')
  })

  test('renderGrid() has lines, and cells of several lines', () => {
    const lines = renderGrid(columns, [['a\nb', '1']]).split('\n')

    expect(lines.slice(3, 5)).toEqual(['│ a    │ 1 │', '│ b    │   │'])
  })

  test('renderPairs() leaves out what has no value', () => {
    expect(
      renderPairs([
        ['id', 'x'],
        ['error', null],
        ['state', 'failed'],
      ]),
    ).toBe('id     x\nstate  failed')
  })
})
