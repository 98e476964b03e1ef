import { describe, expect, test } from 'vitest'
import type { LedgerLine } from '../../src/ledger/ledger-entries.ts'
import { readCosts } from '../../src/operations/costs.ts'
import { Costs } from '../../src/tasks/costs.ts'
import { NO_USAGE } from '../../src/tasks/usage.ts'

const NOW = Date.UTC(2026, 10, 23, 12)
const at = (day: number, hour = 0) => Date.UTC(2026, 10, day, hour)

describe('readCosts()', () => {
  const ledger = {
    '2026-11-20': [line({ type: 'lint', costMicroUsd: 10, succeeded: 1 })],
    '2026-11-22': [
      line({ type: 'lint', costMicroUsd: 5, others: 1, costEstimatedMicroUsd: 7 }),
      line({ model: 'acme/big', type: null, costMicroUsd: 100, succeeded: 2 }),
    ],
    '2026-11-23': [line({ type: null, key: 'ci', costMicroUsd: 1, succeeded: 1 })],
  }

  test.each([
    ['model', ['acme/big 100+0 2/2', 'acme/nano 16+7 3/2']],
    ['type', ['null 101+0 3/3', 'lint 15+7 2/1']],
    ['key', ['null 115+7 4/3', 'ci 1+0 1/1']],
    ['tier', ['fast 116+7 5/4']],
    ['day', ['2026-11-20 10+0 1/1', '2026-11-22 105+7 3/2', '2026-11-23 1+0 1/1']],
  ])('sums up by %s', async (groupBy, groups) => {
    const costs = await read({ groupBy })

    expect(Costs.parse(costs)).toEqual(costs)
    expect(costs.data.map(shown)).toEqual(groups)
    expect(costs.total).toMatchObject({ tasks: 5, succeeded: 4, costMicroUsd: 116, costEstimatedMicroUsd: 7 })
  })

  test.each([
    ['that of since as a whole', { since: at(22, 15) }, ['2026-11-22', '2026-11-23']],
    ['none that begins with until', { until: at(22) }, ['2026-11-20']],
    ['that of until as a whole', { since: at(21), until: at(22, 1) }, ['2026-11-22']],
    ['nothing where there is nothing', { since: at(21), until: at(22) }, []],
    ['nothing of the future', { since: at(23) + 10 ** 12 }, []],
    ['strings of a query', { since: String(at(23)) }, ['2026-11-23']],
  ])('takes whole days: %s', async (_, query, days) => {
    expect((await read({ ...query, groupBy: 'day' })).data.map(({ group }) => group)).toEqual(days)
  })

  test('asks for no more days than are kept, and one for clocks that are ahead', async () => {
    const asked: string[] = []
    const read = async (days: readonly string[]) => {
      asked.push(...days)
      return []
    }
    await readCosts({}, { read, ledgerDays: () => 2, now: () => NOW })

    expect(asked).toEqual(['2026-11-20', '2026-11-21', '2026-11-22', '2026-11-23', '2026-11-24'])
  })

  test.each([
    [{ groupBy: 'user' }, 'groupBy'],
    [{ since: at(22), until: at(22) }, 'until'],
    [{ since: Number.NaN }, 'since'],
    [{ since: -1 }, 'since'],
    [{ since: 9 * 10 ** 15 }, 'since'],
    [{ sinc: 1 }, 'sinc'],
  ])('refuses %j', async (query, field) => {
    await expect(read(query)).rejects.toMatchObject({ errors: [{ field }] })
  })

  const read = (query: object) =>
    readCosts(query, {
      read: async (days) =>
        days.map((day) => ({ day, lines: (ledger as Record<string, LedgerLine[]>)[day] ?? [] })),
      ledgerDays: () => 400,
      now: () => NOW,
    })
})

function line(over: Partial<LedgerLine>): LedgerLine {
  return {
    ...{ model: 'acme/nano', tier: 'fast', type: null, key: null, usage: NO_USAGE },
    ...{ costMicroUsd: 0, costEstimatedMicroUsd: 0, succeeded: 0, others: 0 },
    ...over,
  }
}

function shown(data: Costs['data'][number]): string {
  const { group, tasks, succeeded, costMicroUsd, costEstimatedMicroUsd } = data
  return `${group} ${costMicroUsd}+${costEstimatedMicroUsd} ${tasks}/${succeeded}`
}
