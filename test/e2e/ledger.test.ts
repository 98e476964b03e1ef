/** Real processes, a real OpenCode, a provider that bills: what tasks say, what the ledger says and the bill are equal. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createClient } from '../../src/client/index.ts'
import { COST_GROUPS } from '../../src/tasks/costs.ts'
import type { TaskInput } from '../../src/tasks/input.ts'
import { processesOf } from '../setup/processes.ts'
import {
  createHome,
  type Home,
  runTierline,
  startTierline,
  TEST_CONFIG,
  type TierlineProcess,
} from '../setup/tierline-process.ts'

const KEY = 'a-secret-of-sixteen-and-more'

let home: Home
let up: TierlineProcess

beforeEach(async () => {
  home = await createHome(`${TEST_CONFIG}models:
  acme/mini:
    price:
      inputUsdPerMTok: 0.3
      outputUsdPerMTok: 1.2
      bands: [{ aboveContextTokens: 50000, inputUsdPerMTok: 0.6, outputUsdPerMTok: 2.4 }]
`)
  Object.assign(home.env, {
    TIERLINE_API_KEYS: `ci:${KEY}`,
    TIERLINE_DIRECTORIES: home.dir,
  })
  up = await startTierline(home, ['up'])
}, 240_000)

afterEach(async () => {
  await up?.end('SIGTERM')
  await home?.remove()
}, 60_000)

test('subagents, tools, retries, overrides, failures, a cancel and a kill -9 of the worker are booked once', {
  timeout: 300_000,
}, async () => {
  const client = createClient({ url: up.ready.url, apiKey: KEY })
  const submit = async (input: TaskInput) => client.enqueue({ ...input, title: 'ledger' })
  const lint = await submit({ type: 'lint', prompt: 'Hello' })
  const retried = await submit({ type: 'lint', prompt: `@status:503,1 @say: One\n${BASH}\n@usage:900,9,100` })
  const failed = await submit({ model: 'acme/mini', prompt: `${BASH}\n@status:401` })
  const own = await submit({
    type: 'analysis',
    messages: [{ text: '@usage:1000,10' }, { text: '@usage:2000,20', model: 'globex/fast' }],
  })
  const long = await submit({ model: 'acme/mini', prompt: '@usage:60000,100,1000' })
  const dropped = await submit({ prompt: '@words:20 @hold:drop @drop:1' })
  const parent = await submit({
    prompt: `${subagent(`${BASH}\n@usage:3000,30 @hold:child @say: inner`)}\n${BASH}\n@say: outer`,
  })
  const cancelled = await submit({ model: 'acme/big', prompt: `${BASH}\n@words:100 @hold:cancel` })
  // What nobody has heard of an answer nobody knows to have begun.
  for await (const _ of dropped.text()) break
  home.provider.release('drop')
  await home.provider.held('child')
  await home.provider.held('cancel')

  const workers = processesOf(home.dir).filter(({ command }) => /workers\/tasks\.ts/.test(command))
  expect(workers).toHaveLength(1)
  for (const { pid } of workers) process.kill(pid, 'SIGKILL')
  await expect.poll(async () => (await parent.task()).attempt, { timeout: 120_000 }).toBe(2)
  await cancelled.cancel()
  home.provider.release('child')

  const handles = { lint, retried, failed, own, long, dropped, parent, cancelled }
  const states = Object.entries(handles).map(async ([name, one]) => [name, (await one.result()).state])
  expect(Object.fromEntries(await Promise.all(states))).toEqual({
    ...{ lint: 'succeeded', retried: 'succeeded', own: 'succeeded', long: 'succeeded', dropped: 'succeeded' },
    ...{ parent: 'succeeded', failed: 'failed', cancelled: 'cancelled' },
  })
  const { data: tasks } = await client.list()
  const bill = home.provider.ledger.paid().reduce((sum, { costMicroUsd }) => sum + costMicroUsd, 0)
  // The provider knows nothing of bands: 59,000 tokens at twice the price, 1,000 from the cache, 100 of output.
  const longCost = (await long.task()).costMicroUsd
  expect(longCost).toBe(59_000 * 0.6 + 1_000 * 0.6 + 100 * 2.4)
  const withoutBands = home.provider.ledger.paid().find(({ usage }) => usage!.promptTokens === 60_000)!
  const billed = bill - withoutBands.costMicroUsd + longCost
  const estimated = tasks.reduce((sum, task) => sum + task.costEstimatedMicroUsd, 0)

  expect(tasks.reduce((sum, task) => sum + task.costMicroUsd, 0)).toBe(billed)
  for (const groupBy of COST_GROUPS) {
    const { data, total } = await client.costs({ groupBy })
    expect(total).toMatchObject({
      tasks: 8,
      succeeded: 6,
      costMicroUsd: billed,
      costEstimatedMicroUsd: estimated,
    })
    expect(data.reduce((sum, line) => sum + line.costMicroUsd, 0)).toBe(billed)
  }
  expect((await client.costs({ groupBy: 'key' })).data).toMatchObject([{ group: 'ci', tasks: 8 }])
  expect((await client.costs()).data.map(({ group }) => group).sort()).toEqual([
    'acme/big',
    'acme/mini',
    'acme/nano',
    'globex/fast',
  ])
  const marked = tasks.filter((task) => task.costEstimatedMicroUsd > 0).map(({ id }) => id)
  expect(marked.sort()).toEqual([dropped.id, cancelled.id].sort())
  const { stdout } = await runTierline(home, ['costs', '--by', 'day', '--url', up.ready.url, '--csv'])
  expect(stdout.trimEnd().split('\n').at(-1)).toMatch(
    new RegExp(`^20..-..-..,8,6,.*,${billed},${estimated}$`),
  )
})

const BASH = '@tool bash {"command":"true","description":"nothing"}'

function subagent(prompt: string): string {
  return `@tool task ${JSON.stringify({ description: 'sub', subagent_type: 'general', prompt })}`
}
