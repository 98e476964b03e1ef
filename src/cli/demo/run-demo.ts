/** The demo: real Redis, real BullMQ, a real OpenCode server; only the paid model is scripted. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { createClient, type TierlineClient } from '../../client/index.ts'
import { environmentOfProcess } from '../../config/environment.ts'
import { readSettings } from '../../config/settings.ts'
import { startUp, type Up } from '../../runtime/up.ts'
import { RESTART, type ServiceSpec } from '../../services/service-spec.ts'
import type { Task } from '../../tasks/task.ts'
import { createLogger } from '../../telemetry/logger.ts'
import { EXIT } from '../exit-code.ts'
import { interruptible } from '../interruptible.ts'
import type { Terminal } from '../terminal.ts'
import { createTasksView } from '../watch/tasks-view.ts'
import { demoReport, type Seen } from './demo-report.ts'
import { DEMO_CONFIG, DEMO_TASKS } from './demo-tasks.ts'
import { renderResults, renderTotal } from './result-table.ts'

export interface DemoOptions {
  /** Print the result as JSON and no live view. */
  json: boolean
  terminal: Terminal
}

const ProviderOutput = z.object({ url: z.url(), openCode: z.record(z.string(), z.unknown()) })
const Ledger = z.array(z.object({ sessionID: z.string().nullable(), model: z.string(), kind: z.string() }))

/**
 * Starts everything on free ports, runs the tasks and shows them. Leaves nothing behind.
 *
 * Gives the exit code: 0 only if each task succeeded on the models that the table says.
 */
export async function runDemo({ json, terminal }: DemoOptions): Promise<number> {
  const home = mkdtempSync(join(tmpdir(), 'tierline-demo-'))
  try {
    const finished = await interruptible(async (signal) => {
      const up = await startDemo(home, terminal, signal).catch((error) => {
        if (signal.aborted) return undefined
        throw error
      })
      if (up === undefined) return undefined
      try {
        return await runTasks(up, signal, { json, terminal })
      } finally {
        terminal.note('stopping …')
        await up.stop()
      }
    })
    return finished ?? EXIT.interrupted
  } finally {
    rmSync(home, { recursive: true, force: true, maxRetries: 5 })
  }
}

function startDemo(home: string, terminal: Terminal, signal: AbortSignal): Promise<Up> {
  const config = join(home, 'tierline.yaml')
  const projectDir = join(home, 'project')
  mkdirSync(projectDir)
  writeFileSync(config, DEMO_CONFIG)
  const settings = readSettings({}, { config, dataDir: join(home, 'data'), port: 0, logLevel: 'error' })
  return startUp({
    settings,
    signal,
    logger: createLogger({ level: 'error' }),
    environment: environmentOfProcess(),
    projectDir,
    beside: [providerSpec(home)],
    isolated: {
      dir: join(home, 'opencode'),
      config: (outputs) => ProviderOutput.parse(outputs.get('provider')).openCode,
    },
    progress: (sentence) => terminal.note(`${sentence} …`),
  })
}

/** `undefined`: somebody pressed Ctrl-C. */
async function runTasks(
  up: Up,
  signal: AbortSignal,
  { json, terminal }: DemoOptions,
): Promise<number | undefined> {
  const client = createClient({ url: up.url })
  terminal.note(`running at ${up.url}, board at ${up.url}/board\n`)
  const view = createTasksView(json ? { ...terminal, live: false } : terminal)
  let tasks: Task[]
  try {
    const handles = await Promise.all(DEMO_TASKS.map(({ input }) => client.enqueue(input)))
    const queued = await Promise.all(handles.map((handle) => handle.task()))
    for (const [index, task] of queued.entries()) view.add(DEMO_TASKS[index]!.label, task)
    tasks = await Promise.all(
      handles.map(async (handle) => {
        for await (const item of handle.events({ signal })) view.show(handle.id, item)
        if (!signal.aborted) view.finish(await handle.result())
        return handle.task()
      }),
    )
  } finally {
    view.close()
  }
  if (signal.aborted) return undefined
  const report = demoReport(tasks, await seenBy(up), await pricesOf(client))
  if (json) terminal.printJson(report)
  else {
    const table = renderResults(report.results, terminal.live ? terminal.size().columns : undefined)
    terminal.print(`\n${table}\n${renderTotal(report.results, report.total)}`)
  }
  return report.results.every(({ ok }) => ok) ? EXIT.ok : EXIT.taskFailed
}

/** What the provider really was asked, by OpenCode session and in order. */
async function seenBy(up: Up): Promise<Seen> {
  const { url } = ProviderOutput.parse(up.outputs.get('provider'))
  const ledger = Ledger.parse(await (await fetch(`${url}/ledger`)).json())
  return Map.groupBy(ledger, ({ sessionID }) => sessionID)
}

async function pricesOf(client: TierlineClient) {
  return (await client.models()).filter(({ price }) => price !== null)
}

function providerSpec(home: string): ServiceSpec {
  const main = fileURLToPath(
    new URL(`../../../test/provider/main${extname(import.meta.url)}`, import.meta.url),
  )
  return {
    name: 'provider',
    command: process.execPath,
    args: ['--disable-warning=ExperimentalWarning', main],
    env: {},
    cwd: home,
    ready: { stdoutJson: true },
    startTimeoutMs: 30_000,
    logFile: join(home, 'provider.log'),
    secrets: [],
    restart: RESTART,
  }
}
