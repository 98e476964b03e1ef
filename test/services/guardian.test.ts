import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { freePort } from '../../src/services/free-port.ts'
import { identifyProcess, isAlive } from '../../src/services/process-identity.ts'
import { STUBBORN, scriptService } from './script-service.ts'
import { test } from './service-test.ts'
import { startScript } from './start-script.ts'

const READY = 'console.log(JSON.stringify({ ready: true })); setInterval(() => {}, 1000)'
const POLL = { timeout: 30_000, interval: 20 }

describe('guardian.start()', () => {
  test('resolves with the process and what it printed', async ({ guardian, directory }) => {
    const service = await guardian.start(scriptService(directory, READY))

    expect(service).toMatchObject({ name: 'script', output: { ready: true } })
    expect(isAlive(identifyProcess(service.pid))).toBe(true)
  })

  test('hands secrets over on stdin and keeps the output in a log for the owner only', async ({
    guardian,
    directory,
  }) => {
    const echo = 'process.stdin.on("data", (data) => console.log(JSON.stringify({ read: String(data) })))'
    const spec = scriptService(directory, `${echo}; setInterval(() => {}, 1000)`, { stdin: 'the password' })

    expect(await guardian.start(spec)).toMatchObject({ output: { read: 'the password' } })
    expect(readFileSync(spec.logFile, 'utf8')).toContain('the password')
  })

  test('keeps in its memory nothing of what a service prints, be it one line without an end', async ({
    guardian,
    directory,
  }) => {
    const print = `let left = 300
      const next = () => left-- > 0 ? process.stdout.write('x'.repeat(1e6), next) : console.error('all is printed')
      process.on('SIGUSR2', next)`
    const ready = await guardian.start(scriptService(directory, `${print}; ${READY}`))
    const before = residentBytes(guardian.pid)
    process.kill(ready.pid, 'SIGUSR2')
    const { logFile } = scriptService(directory, '')

    await expect.poll(() => readFileSync(logFile, 'utf8').includes('all is printed'), POLL).toBe(true)
    expect(residentBytes(guardian.pid) - before).toBeLessThan(200e6)
    expect(isAlive(identifyProcess(ready.pid))).toBe(true)
  })

  test('waits for an HTTP service whose first request is never answered', async ({ guardian, directory }) => {
    const port = await freePort()
    const script = `let asked = 0
      require('node:http').createServer((request, response) => {
        asked += 1
        if (asked > 1) response.writeHead(request.headers.authorization === 'yes' ? 200 : 401).end()
      }).listen(${port}, '127.0.0.1')`
    const ready = { http: `http://127.0.0.1:${port}/`, headers: { authorization: 'yes' } }

    await expect(guardian.start(scriptService(directory, script, { ready }))).resolves.toBeDefined()
  })

  test('fails with the last lines of a service that exits, without its secrets', async ({
    guardian,
    directory,
  }) => {
    const spec = scriptService(directory, 'console.error("no entry for hunter2"); process.exit(7)', {
      secrets: ['hunter2'],
    })

    await expect(guardian.start(spec)).rejects.toMatchObject({
      code: 'service_failed',
      message: `Cannot run the service "script" (${process.execPath}): it exited with code 7; its last lines:\nno entry for ***`,
    })
  })

  test('fails when the service is not ready in time, and leaves nothing of it', async ({
    guardian,
    directory,
  }) => {
    const script = 'console.log("pid", process.pid); setInterval(() => {}, 1000)'
    const spec = scriptService(directory, script, { startTimeoutMs: 4_000 })

    await expect(guardian.start(spec)).rejects.toThrow(
      /it was not ready after 4000 ms; its last lines:\npid \d+/,
    )
    const pid = Number(/pid (\d+)/.exec(readFileSync(spec.logFile, 'utf8'))?.[1])
    expect(isAlive(identifyProcess(pid))).toBe(false)
  })

  test('fails when there is no such command', async ({ guardian, directory }) => {
    await expect(
      guardian.start(scriptService(directory, '', { command: '/nowhere/redis-server' })),
    ).rejects.toMatchObject({ code: 'service_failed', message: expect.stringContaining('ENOENT') })
  })

  test('refuses a second service of the same name', async ({ guardian, directory }) => {
    await guardian.start(scriptService(directory, READY))

    await expect(async () => guardian.start(scriptService(directory, READY))).rejects.toThrow(RangeError)
  })
})

describe('the guardian', () => {
  test('starts a killed service again', async ({ guardian, directory }) => {
    const { pid } = await guardian.start(scriptService(directory, READY))
    process.kill(pid, 'SIGKILL')

    await expect.poll(() => guardian.events.at(-1), POLL).toMatchObject({ type: 'ready', restarts: 1 })
    expect(guardian.events).toContainEqual({
      type: 'exited',
      name: 'script',
      pid,
      exit: 'it was ended by SIGKILL',
    })
  })

  test('ends what a killed service had started', async ({ guardian, directory }) => {
    const { pid, output } = await guardian.start(scriptService(directory, STUBBORN))
    const child = identifyProcess((output as { child: number }).child)
    expect(isAlive(child)).toBe(true)
    process.kill(pid, 'SIGKILL')

    await expect.poll(() => isAlive(child), POLL).toBe(false)
  })

  test('gives up on a service that dies again and again', async ({ guardian, directory }) => {
    await guardian.start(scriptService(directory, 'console.log("{}"); setTimeout(() => process.exit(3), 1)'))

    await expect
      .poll(() => guardian.events.at(-1), POLL)
      .toMatchObject({
        type: 'failed',
        message: expect.stringContaining(
          'it died 4 times, each soon after its start; at last it exited with code 3',
        ),
      })
    expect(guardian.events.filter(({ type }) => type === 'ready')).toHaveLength(4)
  })

  test('ends services that ignore SIGTERM, at stop', async ({ guardian, directory }) => {
    const { pid, output } = await guardian.start(scriptService(directory, STUBBORN))
    const all = [pid, (output as { child: number }).child].map(identifyProcess)
    await guardian.stop()

    expect(all.map(isAlive)).toEqual([false, false])
    expect(guardian.events.map(({ type }) => type)).toEqual(['ready'])
  })

  test('ends all services and itself after a kill -9 of the process that started it', async ({
    directory,
  }) => {
    const parent = await startScript('guarded-parent.ts', directory)
    const all = (parent.output as number[]).map(identifyProcess)
    expect(all.map(isAlive)).toEqual([true, true, true])
    await parent.kill('SIGKILL')

    await expect.poll(() => all.map(isAlive), POLL).toEqual([false, false, false])
  })

  test('takes its services along when it is killed itself', async ({ guardian, directory }) => {
    const { pid } = await guardian.start(scriptService(directory, READY))
    const service = identifyProcess(pid)
    process.kill(guardian.pid, 'SIGKILL')

    await expect.poll(() => isAlive(service), POLL).toBe(false)
    await expect
      .poll(() => guardian.events.at(-1), POLL)
      .toMatchObject({ type: 'failed', message: expect.stringContaining(join(directory, 'guardian.log')) })
    await expect(async () => guardian.start(scriptService(directory, READY))).rejects.toMatchObject({
      code: 'service_failed',
    })
  })
})

function residentBytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) * 1024
}
