/** The examples as a newcomer runs them, against one running system; only the model is scripted. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { findOnPath } from '../../src/services/find-on-path.ts'
import { startUp } from '../setup/tierline-up.ts'

const ROOT = join(import.meta.dirname, '../..')

const TABLE = `tiers:
  fast: { models: [acme/nano], concurrency: 6 }
  balanced: { models: [acme/base], concurrency: 6 }
  powerful: { models: [acme/big] }
routes:
  lint: fast
  review: balanced
  analysis: powerful
default: fast
`

const system = startUp(TABLE)

test('examples/library.ts prints the answer as it comes, then tier, model and cost', {
  timeout: 300_000,
}, async () => {
  const prompt = '#task-library @usage:1000,50 @say: A queue for agents.'

  const { code, stdout, stderr } = await run(process.execPath, ['examples/library.ts', prompt])

  expect({ code, stdout, stderr }).toMatchObject({ code: 0, stdout: 'A queue for agents.' })
  expect(stderr).toMatch(/^tsk_\w+ is queued\n\nsucceeded on fast, acme\/nano: 0\.00012 USD\n$/)
  expect(system.home.provider.ledger.paid({ marker: 'task-library' }).map(({ model }) => model)).toEqual([
    'acme/nano',
  ])
})

test('examples/library.ts says what is wrong with a task', async () => {
  const { code, stderr } = await run(process.execPath, ['examples/library.ts', 'Hello', 'reveiw'])

  expect(code).toBe(2)
  expect(stderr).toContain('unknown_type: Cannot route the task type "reveiw"')
  expect(stderr).toContain('nearest: review')
})

test('examples/curl.sh submits, streams, reads the result and cancels', async () => {
  needCurl()

  const { code, stdout, stderr } = await run('sh', ['examples/curl.sh', '@say: a "quoted" \\ word'], server())

  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  const [, , stream = '', result = '', cancelled = ''] = stdout.split(/^--- .*\n/m)
  expect(stream).toContain('event: text-delta')
  expect(stream).toMatch(/event: end\ndata: {"state":"succeeded"}\n\n$/)
  expect(JSON.parse(result)).toMatchObject({ state: 'succeeded', result: { text: 'a "quoted" \\ word' } })
  expect(JSON.parse(cancelled)).toMatchObject({ state: 'cancelled' })
})

test('examples/curl.sh shows the problem when nothing is queued', async () => {
  needCurl()

  const { code, stderr } = await run('sh', ['examples/curl.sh'], {
    TIERLINE_URL: `${system.up.ready.url}/elsewhere`,
  })

  expect(code).toBe(1)
  expect(stderr).toContain('"code":"not_found"')
})

test('examples/fan-out.ts gathers twelve answers on two tiers into one on a third, with the cost', {
  timeout: 300_000,
}, async () => {
  const { code, stdout, stderr } = await run(
    process.execPath,
    ['examples/fan-out.ts', join(system.home.dir, 'project')],
    server(),
  )

  expect({ code, stderr }).toMatchObject({ code: 0 })
  expect(stderr.match(/^succeeded {2}/gm)).toHaveLength(12)
  expect(rowsOf(stdout)).toEqual([
    ['acme/base', 6],
    ['acme/big', 1],
    ['acme/nano', 6],
  ])
  const gathered = system.home.provider.ledger.paid().filter(({ model }) => model === 'acme/big')
  expect(gathered).toHaveLength(1)
})

test('examples/parent-agent: an agent submits children by curl and by the library, below its own task', {
  timeout: 300_000,
}, async () => {
  needCurl()
  const environment = `TIERLINE_URL=${system.up.ready.url} TIERLINE_TASK_ID={{tierline.taskID}}`
  const byCurl = `${environment} sh ${ROOT}/examples/parent-agent/by-curl.sh "@say: Risky"`
  const byLibrary = `${environment} ${process.execPath} ${ROOT}/examples/parent-agent/by-library.ts "@say: Dead."`
  const calls = [byCurl, byLibrary].map(
    (command) => `@tool bash ${JSON.stringify({ command, description: 'children' })}`,
  )

  const { code, stdout, stderr } = await run(
    process.execPath,
    [
      'examples/parent-agent/parent.ts',
      join(system.home.dir, 'project'),
      ...calls,
      '@say: First the risky file.',
    ],
    server(),
  )

  expect({ code, stdout, stderr }).toMatchObject({ code: 0 })
  expect(stdout).toContain('First the risky file.')
  expect(stdout.match(/'succeeded' │ (null|'lint') +│ 'acme\/nano' │ 'nested'/g)).toHaveLength(2)
})

/** A program in the checkout, with what a user of this home has set. */
async function run(command: string, args: readonly string[], more: Record<string, string> = {}) {
  const child = spawn(command, args, {
    cwd: ROOT,
    env: { ...system.home.env, ...more },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  return { code: child.exitCode, stdout, stderr }
}

/** Where the examples that speak HTTP find it. */
function server(): Record<string, string> {
  return { TIERLINE_URL: system.up.ready.url }
}

function needCurl(): void {
  if (findOnPath('curl', process.env.PATH) === undefined)
    throw new Error('Cannot test examples/curl.sh: there is no curl on the PATH, install it')
}

/** `│ acme/nano │ 6 │ '0.000120' │` → `['acme/nano', 6]`. */
function rowsOf(table: string): [string, number][] {
  const rows = [...table.matchAll(/^│ (\w+\/\w+)\s+│ (\d+)/gm)]
  return rows.map(([, model, tasks]): [string, number] => [model!, Number(tasks)]).sort()
}
