/**
 * `npm run try-compose`: docker-compose.yml for real, with the scripted models.
 *
 * Needs a Docker engine with compose, `COMPOSE` says which (default `docker compose`). Removes what it made.
 */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { freePort } from '../../src/services/free-port.ts'
import { openCodeProviders } from '../provider/models.ts'

interface Task {
  id: string
  state: string
  attempt: number
  result: { text: string } | null
}

const run = promisify(execFile)
const checkout = join(import.meta.dirname, '../..')
const home = mkdtempSync(join(tmpdir(), 'tierline-compose-'))
const workspace = join(home, 'projects')
const project = `tierline-try-${process.pid}`
const secret = randomBytes(24).toString('hex')
const port = await freePort()

mkdirSync(workspace)
writeFileSync(
  join(home, 'opencode.json'),
  JSON.stringify({
    provider: openCodeProviders('http://127.0.0.1:8080'),
    enabled_providers: ['acme', 'globex'],
    model: 'acme/base',
    small_model: 'acme/nano',
  }),
)
// The containers' user is not the one who runs this.
for (const path of [home, workspace]) chmodSync(path, 0o777)

const env = {
  ...process.env,
  COMPOSE_PROJECT_NAME: project,
  TIERLINE_API_KEYS: `try:${secret}`,
  REDIS_PASSWORD: randomBytes(24).toString('hex'),
  OPENCODE_SERVER_PASSWORD: randomBytes(24).toString('hex'),
  WORKSPACE: workspace,
  TIERLINE_PORT: String(port),
  REDIS_PORT: String(await freePort()),
  CHECKOUT: checkout,
  OPENCODE_CONFIG: join(home, 'opencode.json'),
}

try {
  await step('up', () => compose('up', '-d', '--build'))
  await step('the API answers', () => until(() => curl('/readyz')))

  await step('a task by curl', async () => {
    const { state, result } = await finished(await submit('@say: Hello from a container'))
    expectEqual([state, result?.text], ['succeeded', 'Hello from a container'])
  })

  await step('an agent writes into the workspace, which has one path everywhere', async () => {
    const task = await submit(
      `@tool bash {"command":"id -u > ${workspace}/uid","description":"writes"}\n@say: ok`,
    )
    expectEqual((await finished(task)).state, 'succeeded')
    expectEqual((await run('cat', [join(workspace, 'uid')])).stdout.trim(), '1000')
  })

  await step('docker kill of the only worker, with three tasks, and three new ones take over', async () => {
    const paid = await requests()
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
    expectEqual((await requests()) - paid, 3)
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

  const kept = await step('down: all stop in order', async () => {
    const task = await submit('@say: still here', { delayMs: 20_000 })
    await compose('stop')
    const all = (
      await docker('ps', '--all', '--quiet', '--filter', `label=com.docker.compose.project=${project}`)
    ).split('\n')
    console.log(`    exit codes ${(await exitCodes(all)).join(' ')}`)
    await compose('down')
    return task
  })

  await step('up again: nothing is lost', async () => {
    await compose('up', '-d')
    await until(() => curl('/readyz'))
    expectEqual((await finished(kept)).result?.text, 'still here')
  })
} catch (error) {
  console.error((await compose('logs', '--tail', '20').catch(() => '')) || '')
  console.error(error)
  process.exitCode = 1
} finally {
  await compose('down', '--volumes', '--remove-orphans').catch(() => {})
  rmSync(home, { recursive: true, force: true })
}

async function step<T>(name: string, act: () => Promise<T>): Promise<T> {
  const start = performance.now()
  console.log(`- ${name}`)
  const result = await act()
  console.log(`  seen, ${((performance.now() - start) / 1000).toFixed(1)} s`)
  return result
}

async function compose(...args: readonly string[]): Promise<string> {
  const [command = 'docker', ...rest] = (process.env.COMPOSE ?? 'docker compose').split(' ')
  const files = ['docker-compose.yml', 'test/containers/scripted-provider.yml'].flatMap((file) => [
    '-f',
    file,
  ])
  const { stdout } = await run(command, [...rest, ...files, ...args], { cwd: checkout, env, maxBuffer: 1e8 })
  return stdout
}

async function docker(...args: readonly string[]): Promise<string> {
  return (await run('docker', args, { env })).stdout.trim()
}

/** Ids of the containers of a service that run. */
async function containers(service: string): Promise<string[]> {
  return (await compose('ps', '--quiet', service)).trim().split('\n')
}

async function exitCodes(ids: readonly string[]): Promise<string[]> {
  return (await docker('inspect', '--format', '{{.State.ExitCode}}', ...ids)).split('\n')
}

async function curl(path: string, body?: object): Promise<string> {
  const data = body === undefined ? [] : ['-H', 'content-type: application/json', '-d', JSON.stringify(body)]
  const url = `http://127.0.0.1:${port}${path}`
  return (await run('curl', ['-sSf', '-H', `authorization: Bearer ${secret}`, ...data, url])).stdout
}

async function submit(prompt: string, more: object = {}): Promise<string> {
  return JSON.parse(await curl('/v1/tasks', { prompt, directory: workspace, ...more })).id
}

/** What the provider was asked and would bill. */
async function requests(): Promise<number> {
  const [openCode] = await containers('opencode')
  return JSON.parse(await docker('exec', openCode!, 'curl', '-s', '127.0.0.1:8080/ledger?kind=answer')).length
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

function expectEqual(given: unknown, expected: unknown): void {
  const [a, b] = [given, expected].map((value) => JSON.stringify(value))
  if (a !== b) throw new Error(`expected ${b}, and it is ${a}`)
}
