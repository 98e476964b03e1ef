/** Money that runs out, from the command line to a real OpenCode and a provider that bills. */
import { expect, test } from 'vitest'
import { createClient } from '../../src/client/index.ts'
import { runTierline, TEST_CONFIG } from '../setup/tierline-process.ts'
import { startUp } from '../setup/tierline-up.ts'

const system = startUp(`${TEST_CONFIG}budgets:
  - { scope: "type:lint", per: once, limitUsd: 0.002 }
`)

const BASH = '@tool bash {"command":"true","description":"nothing"}'
const NO_BUDGET = 3

test('a task that reaches its maxCostUsd is stopped within one step', { timeout: 240_000 }, async () => {
  const { home, up } = system
  const client = createClient({ url: up.ready.url })
  // The second step would never end: only who is stopped gets away from it.
  const prompt = `#task-cap @usage:10000,100\n${BASH}\n@words:5 @hold:never\n${BASH}\n@say: done`

  const { code, stdout, stderr } = await runTierline(home, [
    ...['submit', '--url', up.ready.url, '--model', 'acme/big', '--max-cost', '0.03', '--watch', prompt],
  ])

  expect({ code, said: stdout + stderr }).toEqual({
    code: NO_BUDGET,
    said: expect.stringContaining('its maxCostUsd is $0.03'),
  })
  const [task] = (await client.list()).data
  expect(task).toMatchObject({ state: 'failed', error: { code: 'budget_exceeded' }, costMicroUsd: 52_500 })
  expect(home.provider.ledger.paid({ marker: 'task-cap' }).length).toBeLessThanOrEqual(2)
})

test('what comes when a budget is spent is refused with 402, and no model is asked', {
  timeout: 240_000,
}, async () => {
  const { home, up } = system
  const submit = (marker: string) =>
    runTierline(home, [
      ...['submit', '--url', up.ready.url, '--type', 'lint', '--wait', `#task-${marker} @usage:20000,100`],
    ])

  expect((await submit('last')).code).toBe(0)
  const { code, stdout, stderr } = await submit('refused')

  expect({ code, stdout, stderr }).toEqual({
    ...{ code: NO_BUDGET, stdout: '' },
    stderr: expect.stringContaining('type:lint'),
  })
  const response = await fetch(`${up.ready.url}/v1/tasks`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ type: 'lint', prompt: 'Hello' }),
  })
  expect({ status: response.status, problem: await response.json() }).toMatchObject({
    status: 402,
    problem: { code: 'budget_exceeded', budget: { scope: 'type:lint', limitMicroUsd: 2_000 } },
  })
  // Refused, and not queued.
  expect((await createClient({ url: up.ready.url }).list({ type: 'lint' })).data).toHaveLength(1)
  expect(home.provider.ledger.paid({ marker: 'task-refused' })).toEqual([])
  const [last] = home.provider.ledger.paid({ marker: 'task-last' })
  const { stdout: shown } = await runTierline(home, ['budgets', '--url', up.ready.url, '--json'])
  expect(JSON.parse(shown).data).toMatchObject([
    { scope: 'type:lint', spentMicroUsd: last!.costMicroUsd, reservedMicroUsd: 0 },
  ])
})
