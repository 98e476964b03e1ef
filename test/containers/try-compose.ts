/**
 * `npm run try-compose`: docker-compose.yml for real, with the scripted models.
 *
 * Needs a Docker engine with compose, `COMPOSE` says which (default `docker compose`). Removes what it made, but for
 * the images, which are those of the checkout.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createComposeProject } from './compose-project.ts'

interface Task {
  id: string
  state: string
  tier: string | null
  attempt: number
  result: { text: string } | null
}

const project = await createComposeProject()
const { workspace, compose, docker, containers, curl } = project

try {
  project.configure(tableWith({ powerfulUsd: 2 }))
  await step('build', () => compose('build'))
  await step('up', () => compose('up', '-d'))
  await step('the API answers', () => until(() => curl('/readyz')))

  await step('nobody is root, and only this machine is listened to', async () => {
    for (const service of ['api', 'workers', 'maintenance', 'opencode'])
      expectEqual(await compose('exec', '-T', service, 'id', '-u'), '1000')
    const [redis] = await containers('redis')
    expectEqual(await docker('exec', redis!, 'stat', '-c', '%U', '/proc/1'), 'redis')
    const ids = (await compose('ps', '--quiet')).split('\n')
    const hosts = await docker(
      ...['inspect', '--format', '{{range .HostConfig.PortBindings}}{{range .}}{{.HostIp}} {{end}}{{end}}'],
      ...ids,
    )
    expectEqual(hosts.split(/\s+/).filter(Boolean), ['127.0.0.1', '127.0.0.1'])
  })

  await step('a task by curl, and the board with a key only', async () => {
    const { state, result } = await finished(await submit('@say: Hello from a container'))
    expectEqual([state, result?.text], ['succeeded', 'Hello from a container'])
    expectEqual((await curl('/board/')).includes('<html'), true)
    const refused = await curl('/board/', { key: false }).catch(({ message }) => message)
    expectEqual(refused.includes('401'), true)
  })

  await step('an agent writes into the workspace, which has one path everywhere', async () => {
    const task = await submit(
      `@tool bash {"command":"id -u > ${workspace}/uid","description":"writes"}\n@say: ok`,
    )
    expectEqual((await finished(task)).state, 'succeeded')
    expectEqual(readFileSync(join(workspace, 'uid'), 'utf8').trim(), '1000')
  })

  await step('the table is followed: a spent budget sends its tasks to the next cheaper tier', async () => {
    expectEqual((await finished(await submit('@say: dear', { type: 'analysis' }))).tier, 'powerful')
    project.configure(tableWith({ powerfulUsd: 0.001 }))
    await until(async () => JSON.parse(await curl('/v1/budgets')).data[1].limitMicroUsd === 1000)
    expectEqual((await finished(await submit('@say: cheap', { type: 'analysis' }))).tier, 'balanced')
  })

  await step('docker kill of the only worker, with three tasks, and three new ones take over', async () => {
    const paid = (await requests()).length
    const tasks = await Promise.all([1, 2, 3].map(() => submit('@chunk:300 @words:80')))
    await Promise.all(tasks.map(running))
    await docker('kill', ...(await containers('workers')))
    await compose('up', '-d', '--scale', 'workers=3')
    expectEqual((await containers('workers')).length, 3)
    const over = await Promise.all(tasks.map(finished))
    expectEqual(
      over.map(({ state, attempt }) => `${state} by attempt ${attempt}`),
      Array(3).fill('succeeded by attempt 2'),
    )
    expectEqual((await requests()).length - paid, 3)
  })

  await step('docker kill of Redis, with tasks that run and tasks that wait', async () => {
    const slow = await submit('@chunk:200 @words:40')
    await running(slow)
    const later = await submit('@say: later', { delayMs: 15_000 })
    const [redis] = await containers('redis')
    await docker('kill', redis!)
    await docker('start', redis!)
    expectEqual((await finished(slow)).state, 'succeeded')
    expectEqual((await finished(later)).state, 'succeeded')
  })

  await step('workers stop in their grace period, and hand over', async () => {
    const task = await submit('@chunk:500 @words:60')
    await running(task)
    const stopping = await containers('workers')
    const start = performance.now()
    await compose('stop', 'workers')
    console.log(`    stopped after ${((performance.now() - start) / 1000).toFixed(1)} s`)
    expectEqual(await exitCodes(stopping), ['0', '0', '0'])
    await compose('start', 'workers')
    expectEqual((await finished(task)).state, 'succeeded')
  })

  await step(
    'after all that, budget and ledger have what the provider bills, and nothing is held',
    async () => {
      const told = await compose('exec', '-T', 'api', 'tierline', 'budgets', '--json')
      const [{ spentMicroUsd, reservedMicroUsd }] = JSON.parse(told).data
      const bill = sum((await requests()).map(({ costMicroUsd }) => costMicroUsd))
      const costs = sum(JSON.parse(await curl('/v1/costs')).data.map((row: Bill) => row.costMicroUsd))
      console.log(`    ${bill} millionths of a dollar`)
      expectEqual([spentMicroUsd, costs, reservedMicroUsd], [bill, bill, 0])
    },
  )

  const kept = await step('down: all stop in order', async () => {
    const task = await submit('@say: still here', { delayMs: 20_000 })
    const all = (await compose('ps', '--quiet')).split('\n')
    await compose('stop')
    console.log(`    exit codes ${(await exitCodes(all)).join(' ')}`)
    await compose('down')
    return task
  })

  await step('up again: nothing is lost', async () => {
    await compose('up', '-d')
    await until(() => curl('/readyz'))
    expectEqual((await finished(kept)).result?.text, 'still here')
  })

  await step('down with its volumes: nothing is left', async () => {
    await compose('down', '--volumes')
    expectEqual(await project.leftovers(), [])
  })
} catch (error) {
  console.error((await compose('logs', '--tail', '20').catch(() => '')) || '')
  console.error(error)
  process.exitCode = 1
} finally {
  await project.remove()
}

interface Bill {
  costMicroUsd: number
}

function tableWith({ powerfulUsd }: { powerfulUsd: number }): string {
  return `tiers:
  fast: { models: [acme/nano], concurrency: 8 }
  balanced: { models: [acme/base], concurrency: 8 }
  powerful: { models: [acme/big], concurrency: 2 }
routes: { lint: fast, analysis: powerful }
default: balanced
models:
  acme: { concurrency: 6 }
budgets:
  - { scope: global, per: once, limitUsd: 10 }
  - { scope: "tier:powerful", per: once, limitUsd: ${powerfulUsd}, onExceed: downgrade }
`
}

async function step<T>(name: string, act: () => Promise<T>): Promise<T> {
  const start = performance.now()
  console.log(`- ${name}`)
  const result = await act()
  console.log(`  seen, ${((performance.now() - start) / 1000).toFixed(1)} s`)
  return result
}

async function exitCodes(ids: readonly string[]): Promise<string[]> {
  return (await docker('inspect', '--format', '{{.State.ExitCode}}', ...ids)).split('\n')
}

async function submit(prompt: string, more: object = {}): Promise<string> {
  return JSON.parse(await curl('/v1/tasks', { body: { prompt, directory: workspace, ...more } })).id
}

/** What the provider was asked and would bill. */
async function requests(): Promise<Bill[]> {
  const [openCode] = await containers('opencode')
  return JSON.parse(await docker('exec', openCode!, 'curl', '-s', '127.0.0.1:8080/ledger?kind=answer'))
}

async function running(id: string): Promise<void> {
  await until(async () => JSON.parse(await curl(`/v1/tasks/${id}`)).sessionID !== null)
}

async function finished(id: string): Promise<Task> {
  return await until(async () => {
    const task = JSON.parse(await curl(`/v1/tasks/${id}/result?waitMs=10000`))
    return ['succeeded', 'failed', 'cancelled'].includes(task.state)
      ? JSON.parse(await curl(`/v1/tasks/${id}`))
      : undefined
  })
}

/** Looks again until there is something; a server that is away is not there yet. */
async function until<T>(look: () => Promise<T>): Promise<T> {
  for (const end = performance.now() + 180_000; ; ) {
    const found = await look().catch((error) => {
      if (performance.now() > end) throw error
      return undefined
    })
    if (found) return found
    if (performance.now() > end) throw new Error(`waited in vain: ${look}`)
    await new Promise((resolve) => setTimeout(resolve, 500))
  }
}

function sum(amounts: readonly number[]): number {
  return amounts.reduce((total, amount) => total + amount, 0)
}

function expectEqual(given: unknown, expected: unknown): void {
  const [a, b] = [given, expected].map((value) => JSON.stringify(value))
  if (a !== b) throw new Error(`expected ${b}, and it is ${a}`)
}
