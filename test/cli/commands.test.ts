/** The commands that ask once and print. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { renderBudgets } from '../../src/cli/commands/budgets.ts'
import { describeQueueWait } from '../../src/cli/queue-wait.ts'
import { comparisonRoute } from '../../src/tasks/comparison-route.ts'
import { type MemoryServer, startMemoryServer } from '../client/memory-server.ts'
import { runCli } from './run-cli.ts'

let server: MemoryServer

beforeAll(async () => {
  server = await startMemoryServer()
})

afterAll(() => server.close())

describe('get', () => {
  test('shows the facts and the answer', async () => {
    const id = await finished('The\nanswer \u001b]0;evil\u0007')
    const { code, stdout } = await cli('get', id)

    expect(code).toBe(0)
    expect(stdout).toMatch(new RegExp(`^id +${id}\nstate +succeeded\ntype +lint\ntier +fast\n`))
    expect(stdout).toMatch(/\n\nThe\nanswer \n$/)
  })

  test('prints the task with --json', async () => {
    const id = await finished('a')

    expect(JSON.parse((await cli('get', id, '--json')).stdout)).toMatchObject({ id, result: { text: 'a' } })
  })

  test('says how to find a task that is not there', async () => {
    const { code, stderr } = await cli('get', 'tsk_01k0000000000000000000000a')

    expect(code).toBe(2)
    expect(stderr).toContain('tierline list')
  })
})

describe('costs', () => {
  test('shows a table, estimates apart, with the sum', async () => {
    const { code, stdout } = await cli('costs', '--by', 'tier', '--since', '7d')

    expect(code).toBe(0)
    expect(stdout.split('\n').map((text) => text.replace(/ +/g, ' '))).toEqual([
      'TIER TASKS SUCCEEDED TOKENS COST ESTIMATED',
      'acme/nano 3 2 1,020 $0.001234 + $0.000056',
      'total 3 2 1,020 $0.001234 + $0.000056',
      '',
    ])
  })

  test('prints JSON and CSV', async () => {
    expect(JSON.parse((await cli('costs', '--json')).stdout)).toMatchObject({
      groupBy: 'model',
      total: { costMicroUsd: 1_234 },
    })
    expect((await cli('costs', '--csv', '--since', '2026-11-01', '--until', '2026-12-01')).stdout).toBe(
      'model,tasks,succeeded,inputTokens,outputTokens,reasoningTokens,cacheReadTokens,cacheWriteTokens,costMicroUsd,costEstimatedMicroUsd\n' +
        'acme/nano,3,2,1000,20,0,0,0,1234,56\n',
    )
  })

  test.each([
    ['--by', 'user'],
    ['--since', 'yesterday'],
    ['--until', '2026-13-45'],
  ])('refuses %s %s', async (...flags) => {
    expect(await cli('costs', ...flags)).toMatchObject({ code: 2, stdout: '' })
  })
})

describe('budgets', () => {
  test('shows what is spent, held and left, and when it begins anew', async () => {
    const { code, stdout } = await cli('budgets')
    const lines = stdout.trimEnd().split('\n')

    expect(code).toBe(0)
    expect(lines[0]).toMatch(/^SCOPE +PER +SPENT +HELD +LIMIT +% +RESETS IN +THEN$/)
    expect(lines[1]).toMatch(/^global +day \(Europe\/Berlin\) +\$12\.50 +\$5\.00 +\$50\.00 +25 +.+ +reject$/)
    expect(lines[2]).toMatch(/^type:lint +once +\$1\.00 +\$0 +\$1\.00 +100 +never +downgrade$/)
  })

  test('draws bars where somebody looks', async () => {
    const drawn = renderBudgets(await server.ports.money.budgets(), 1_795_384_800_000, true)

    expect(drawn).toContain('  25  █████▒▒░░░░░░░░░░░░░  1 h 00 m')
    expect(drawn).toContain(` 100  ${'█'.repeat(20)}  never`)
  })

  test('prints them with --json', async () => {
    expect(JSON.parse((await cli('budgets', '--json')).stdout)).toEqual({
      data: await server.ports.money.budgets(),
    })
  })
})

describe('list', () => {
  const metadata = { run: 'list' }

  beforeAll(async () => {
    for (let count = 0; count < 3; count += 1)
      await server.ports.tasks.submit({ type: 'review', prompt: 'a', metadata })
  })

  test('shows a table', async () => {
    const { code, stdout } = await cli('list', '--metadata', 'run=list')
    const lines = stdout.trimEnd().split('\n')

    expect(code).toBe(0)
    expect(lines[0]).toMatch(/^ID +STATE +TYPE +TIER +MODEL +TOKENS +COST +TIME +AGE$/)
    expect(lines).toHaveLength(4)
    expect(lines[1]).toMatch(/^tsk_\w{26} {2}waiting {2}review {2}balanced {2}acme\/base {7}0 {4}\$0 +- /)
  })

  test('shows no model of a comparison, which asks none itself', async () => {
    const { id, route } = await server.ports.tasks.submit({ prompt: 'a', metadata: { run: 'compare' } })
    const compared = comparisonRoute(route, ['acme/nano', 'acme/big'])
    server.ports.patch(id, { tier: null, route: compared })

    expect((await cli('list', '--metadata', 'run=compare')).stdout).toMatch(
      /^tsk_\w{26} {2}waiting {2}- +- +- +0 /m,
    )
    const { stdout } = await cli('get', id)
    expect(stdout).toMatch(/^compares +acme\/nano, acme\/big$/m)
    expect(stdout).not.toMatch(/^(model|tier|fallbacks) /m)
    server.ports.push(id, { type: 'task-routed', route: compared })
    server.ports.finish(id, 'succeeded')
    const { stderr } = await cli('watch', id)
    expect(stderr).toMatch(new RegExp(`^${id} *$`, 'm'))
    expect(stderr).toContain('compares acme/nano, acme/big\n')
  })

  test('shows as many as asked for, or all', async () => {
    const some = await cli('list', '--metadata', 'run=list', '--limit', '2', '--quiet')
    const all = await cli('list', '--metadata', 'run=list', '--limit', '2', '--all', '--quiet')

    expect([some, all].map(({ stdout }) => stdout.trim().split('\n').length)).toEqual([2, 3])
  })

  test('shows the children of a task', async () => {
    const parent = await server.ports.tasks.submit({ prompt: 'a' })
    const child = await server.ports.tasks.submit({ prompt: 'b', parentTaskID: parent.id })

    expect((await cli('list', '--parent', parent.id, '--quiet')).stdout).toBe(`${child.id}\n`)
  })

  test('puts short pages together', async () => {
    const { list } = server.ports.tasks
    server.ports.tasks.list = (query) => list({ ...query, limit: 1 })
    try {
      const some = await cli('list', '--metadata', 'run=list', '--limit', '2', '--quiet')
      const all = await cli('list', '--metadata', 'run=list', '--all', '--quiet')

      expect([some, all].map(({ stdout }) => stdout.trim().split('\n').length)).toEqual([2, 3])
    } finally {
      server.ports.tasks.list = list
    }
  })

  test('says when there are more, and when there is none', async () => {
    expect((await cli('list', '--metadata', 'run=list', '--limit', '2')).stderr).toContain('--all')
    expect(await cli('list', '--state', 'failed', '--metadata', 'run=list')).toMatchObject({
      code: 0,
      stdout: '',
      stderr: 'No such tasks.\n',
    })
  })

  test('prints a page with --json', async () => {
    const { stdout } = await cli('list', '--metadata', 'run=list', '--limit', '2', '--json')
    const page = JSON.parse(stdout)

    expect(page.data).toHaveLength(2)
    expect(page.nextCursor).toBe(page.data[1].id)
  })
})

describe('a task that waits in its queue', () => {
  const metadata = { run: 'queued' }

  test('says that its tier is paused, or whose turn it waits for', async () => {
    const { id } = await server.ports.tasks.submit({ prompt: 'a', type: 'review', metadata })
    const shown = async () => (await cli('get', id)).stdout

    expect(await shown()).toMatch(/^waits for +its turn in the tier balanced$/m)
    expect(describeQueueWait({ tier: 'fast', models: [], concurrency: 4, paused: false }, 'tierline')).toBe(
      'its turn in the tier fast, which runs 4 at once',
    )
    await server.ports.routing.pauseTier('balanced')
    try {
      expect(await shown()).toMatch(
        /^waits for +balanced is paused; let it go on with "tierline resume balanced"$/m,
      )
      expect((await cli('list', '--metadata', 'run=queued')).stdout).toMatch(/ waiting \(paused\) +review /)
    } finally {
      await server.ports.routing.resumeTier('balanced')
    }
    server.ports.finish(id, 'succeeded')
    expect(await shown()).not.toContain('waits for')
  })

  test('is watched with these words, once', async () => {
    const { id } = await server.ports.tasks.submit({ prompt: 'a', type: 'review', metadata })
    await server.ports.routing.pauseTier('balanced')
    const asked = Promise.withResolvers<void>()
    const { routes } = server.ports.routing
    server.ports.routing.routes = async () => {
      asked.resolve()
      return routes()
    }
    try {
      const watched = cli('watch', id)
      await asked.promise
      server.ports.push(id, { type: 'attempt-started' })
      server.ports.finish(id, 'succeeded')

      const { stderr } = await watched
      expect(stderr.match(/waits: balanced is paused/g)).toHaveLength(1)
      expect(stderr).toMatch(/^succeeded {2}0 tokens/m)
    } finally {
      server.ports.routing.routes = routes
      await server.ports.routing.resumeTier('balanced')
    }
  })
})

describe('cancel, retry, delete', () => {
  test('work on several tasks and print what became of each', async () => {
    const ids = [await submitted(), await submitted()]

    expect((await cli('cancel', ...ids)).stdout).toBe(ids.map((id) => `${id}  cancelled\n`).join(''))
    expect((await cli('retry', ...ids)).stdout).toBe(ids.map((id) => `${id}  waiting\n`).join(''))
    await cli('cancel', ...ids)
    expect((await cli('delete', ...ids)).stdout).toBe(ids.map((id) => `${id}  deleted\n`).join(''))
  })

  test('go on behind a task that is refused, and exit with 2', async () => {
    const [waiting, done] = [await submitted(), await finished('a')]
    const { code, stdout, stderr } = await cli('retry', waiting, done)

    expect([code, stdout]).toEqual([2, `${done}  waiting\n`])
    expect(stderr).toContain(`Cannot retry task "${waiting}"`)
  })

  test('print what became of each with --json', async () => {
    const [waiting, done] = [await submitted(), await finished('a')]
    const { code, stdout } = await cli('delete', waiting, done, '--json')

    expect(code).toBe(2)
    expect(JSON.parse(stdout)).toEqual({
      data: [{ id: waiting, error: expect.objectContaining({ code: 'not_finished' }) }, { id: done }],
    })
  })
})

describe('routing', () => {
  test('routes shows tiers and types', async () => {
    const { stdout } = await cli('routes')

    expect(stdout).toMatch(/^TIER +MODELS +AT ONCE\nfast +acme\/nano, acme\/mini +no limit\n/m)
    expect(stdout).toMatch(
      /^RULE +WHEN +GOES TO\nrules\.0 +key ci or nightly, over 60000 tokens +powerful\n/m,
    )
    expect(stdout).toMatch(/^TYPE +GOES TO\nlint +fast\n/m)
    expect(JSON.parse((await cli('routes', '--json')).stdout)).toMatchObject({ default: 'balanced' })
  })

  test('routes explain shows each step', async () => {
    const { code, stdout } = await cli('routes', 'explain', '--type', 'lint')

    expect(code).toBe(0)
    expect(stdout).toMatch(/^STEP +LOOKED AT +OUTCOME\ntype +lint +tier fast\n\n→ fast → acme\/nano\n/)
    expect(JSON.parse((await cli('routes', 'explain', '--type', 'lint', '--json')).stdout)).toMatchObject({
      route: { tier: 'fast' },
    })
  })

  test('routes explain takes the name of a key, and the prompt', async () => {
    const { stdout } = await cli('routes', 'explain', '--as', 'ci', 'A longer prompt')

    expect(stdout).toMatch(/^rule +rules\.0 +asked of key ci$/m)
  })

  test('routes explain exits with 2 where there is no route', async () => {
    const { code, stdout, stderr } = await cli('routes', 'explain', '--type', 'lnt')

    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toContain('type may be: lint, review, analysis')
    expect(await cli('routes', 'explain', '--type', 'lnt', '--json')).toMatchObject({ code: 2, stderr: '' })
  })

  test('models shows prices', async () => {
    expect((await cli('models')).stdout).toMatch(/^acme\/nano +fast +\$1 +\$5 +200,000 +yes +ok$/m)
    expect(JSON.parse((await cli('models', '--json')).stdout).data).toHaveLength(4)
    const { code, stdout, stderr } = await cli('models', '--tier', 'fats')
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toContain('no such tier; nearest: fast')
  })

  test('pause and resume a tier', async () => {
    expect(await cli('pause', 'fast')).toMatchObject({ code: 0, stdout: '' })
    expect((await cli('routes')).stdout).toMatch(/^fast .* paused$/m)
    const { id } = await server.ports.tasks.submit({ type: 'lint', prompt: 'a' })
    expect((await cli('get', id)).stdout).toMatch(/^waits for +fast is paused; .*"tierline resume fast"$/m)
    expect(JSON.parse((await cli('resume', 'fast', '--json')).stdout)).toMatchObject({ paused: false })
    expect((await cli('get', id)).stdout).not.toContain('paused')
    expect(await cli('pause', 'fats')).toMatchObject({ code: 2 })
  })
})

function cli(...args: string[]) {
  return runCli([...args, '--url', server.url])
}

async function submitted(): Promise<string> {
  return (await server.ports.tasks.submit({ type: 'lint', prompt: 'a' })).id
}

async function finished(text: string): Promise<string> {
  const id = await submitted()
  server.ports.finish(id, 'succeeded', { text })
  return id
}
