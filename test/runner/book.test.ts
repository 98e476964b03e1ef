import { expect, test } from 'vitest'
import type { LedgerEntries } from '../../src/ledger/ledger-entries.ts'
import { type SpentOnModel, totalOf } from '../../src/ledger/spent.ts'
import type { TaskRecord } from '../../src/records/task-record.ts'
import { createBook } from '../../src/runner/book.ts'
import type { Spending } from '../../src/sessions/backend.ts'
import { agedBytes } from '../setup/aged-bytes.ts'

const USAGE = { inputTokens: 1, outputTokens: 1, reasoningTokens: 0, cacheReadTokens: 0, cacheWriteTokens: 0 }

const spending = (id: string, costMicroUsd: number, isEstimated: boolean): Spending => ({
  ...{ id, model: 'acme/nano', usage: USAGE, costMicroUsd, isEstimated },
})

function openBook() {
  const record = {
    ...{
      model: 'acme/nano',
      tier: 'fast',
      type: null,
      key: null,
      checkpoint: null,
      spent: [],
      turnSpent: [],
    },
  } as unknown as TaskRecord
  return { record, book: createBook(record, ({ costMicroUsd }) => costMicroUsd) }
}

/** What the entries of one figure add up to. */
function sumOf(written: readonly LedgerEntries[], figure: 'c' | 'e'): number {
  let sum = 0
  for (const entries of written)
    for (let index = 0; index < entries.length; index += 2)
      if (String(entries[index]).endsWith(figure)) sum += Number(entries[index + 1])
  return sum
}

test.for([
  ['is counted', spending('a', 20, false)],
  ['is less', spending('a', 5, true)],
] as const)('record and ledger agree when what was written as an estimate %s', ([, later]) => {
  const { record, book } = openBook()
  const written: LedgerEntries[] = []
  const write = (end?: 'succeeded') => {
    const due = book.due(end)!
    written.push(due.ledger)
    due.written()
  }
  book.begin()
  book.take([spending('a', 30, true)])
  write()
  book.take([later])
  write()
  book.settle([later])
  write('succeeded')

  const { costMicroUsd, costEstimatedMicroUsd } = totalOf(record.spent)
  expect([costMicroUsd, costEstimatedMicroUsd]).toEqual([sumOf(written, 'c'), sumOf(written, 'e')])
  expect(costEstimatedMicroUsd).toBe(30)
})

test('an estimate that was never written is forgotten once it is counted', () => {
  const { record, book } = openBook()
  book.begin()
  book.take([spending('a', 30, true)])
  book.settle([spending('a', 20, false)])
  const { ledger } = book.due('succeeded')!

  expect(totalOf(record.spent)).toMatchObject({ costMicroUsd: 20, costEstimatedMicroUsd: 0 })
  expect([sumOf([ledger], 'c'), sumOf([ledger], 'e')]).toEqual([20, 0])
})

test('a turn that is over is that of a turn under way until a write says that there is none', () => {
  const { record, book } = openBook()
  book.begin()
  expect(book.settle([spending('a', 20, false)])).toMatchObject({ costMicroUsd: 20 })

  // Goes out by itself, for the sake of an event: a worker that takes over now reads the turn again.
  book.due(undefined)!.written()
  expect([record.spent, record.turnSpent.map(costOf)]).toEqual([[], [20]])
  const { fields } = book.due(undefined, true)!
  expect([record.spent.map(costOf), record.turnSpent, fields.turnSpent]).toEqual([[20], [], ''])
})

const costOf = ({ costMicroUsd }: SpentOnModel) => costMicroUsd

test('nothing of a task stays in memory because of its book', async () => {
  const some = () => {
    for (let index = 0; index < 25_000; index += 1) {
      const { book, record } = openBook()
      Object.assign(record, { input: Array(500).fill(index) })
      book.begin()
      book.take([spending('a', 1, false)])
      book.due('succeeded')?.written()
      expect(book.isOpen()).toBe(true)
    }
  }
  some()

  // What the records hold are 100 MB.
  expect(await agedBytes(some)).toBeLessThan(20_000_000)
})
