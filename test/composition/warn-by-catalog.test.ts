import { expect } from 'vitest'
import type { Budget } from '../../src/routing/table.ts'
import { test } from '../setup/core-test.ts'
import { eventually } from '../setup/eventually.ts'

const SMALL: Budget = {
  scope: 'tier:powerful',
  per: 'day',
  limitMicroUsd: 1,
  timeZone: 'UTC',
  onExceed: 'reject',
  downgradeAtPercent: null,
  onUnknownPrice: 'reject',
  place: 'tierline.yaml:12:5: budgets.0',
}

test('what the prices say of budgets is logged at start and after a reload, once', async ({
  core: { start, config },
}) => {
  const warnings: string[] = []
  config.swap({ budgets: [SMALL] })
  const orchestrator = await start({ log: { info() {}, warn: (_, message) => void warnings.push(message) } })

  const first = expect.stringMatching(
    /^tierline\.yaml:12:5: budgets\.0: limitUsd is less than one step of acme\/big/,
  )
  await eventually(() => expect(warnings).toEqual([first]))
  expect((await orchestrator.routing.routes()).warnings).toEqual([first])

  config.swap({ budgets: [SMALL, { ...SMALL, scope: 'tier:fast', place: 'tierline.yaml:13:5: budgets.1' }] })

  expect(warnings).toEqual([first, expect.stringMatching(/^tierline\.yaml:13:5: budgets\.1: limitUsd/)])
})
