import { describe, expect } from 'vitest'
import { budgetName } from '../../src/budget/budgets-of.ts'
import { budget } from './budget.ts'
import { asking, DAY, test } from './budget-store-test.ts'
import { turnWindow } from './turn-window.ts'

describe('a window', () => {
  test('that turns begins anew, with what is held by those that run', async ({ store, redis: { keys } }) => {
    const { hold, settle, state } = asking(store.open())
    await hold('a', { wantMicroUsd: 300 })
    await settle('a', 300)
    await hold('b', { wantMicroUsd: 200 })
    await turnWindow(store.client, keys.budgets, budgetName(DAY), -86_400_000)

    expect(await state()).toMatchObject({ spentMicroUsd: 0, reservedMicroUsd: 200 })
    await settle('b', 30)
    expect(await state()).toMatchObject({ spentMicroUsd: 30, reservedMicroUsd: 0 })
  })

  test.for([-300_000, 300_000, -86_400_000 * 40, 86_400_000 * 40])(
    'is that of the clock of Redis, whatever the process thinks: %i ms off',
    async (skewMs, { store }) => {
      const straight = asking(store.open())
      const skewed = asking(store.open({ skewMs }))
      const budgets = (['hour', 'day', 'month', 'once'] as const).map((per) =>
        budget({ per, limitMicroUsd: 100 }),
      )
      await straight.hold('a', { wantMicroUsd: 100, budgets })
      await straight.settle('a', 100, budgets)

      expect((await skewed.hold('b', { wantMicroUsd: 1, budgets })).answer.status).toBe('refused')
      for (const one of budgets) expect(await skewed.state(one)).toEqual(await straight.state(one))
      expect((await straight.state(budgets[3])).resetAt).toBeNull()
    },
  )

  test('once passed does not come back: a clock is put back, a time zone changes', async ({
    store,
    redis: { keys },
  }) => {
    const { hold, settle, state } = asking(store.open())
    await hold('a', { wantMicroUsd: 100 })
    await settle('a', 100)
    await turnWindow(store.client, keys.budgets, budgetName(DAY), 3_600_000)

    expect(await state()).toMatchObject({ spentMicroUsd: 100 })
  })
})
