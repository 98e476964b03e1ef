import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { runVerifier, type Verifier } from '../../src/verifiers/run-verifier.ts'
import { processesOf } from '../setup/processes.ts'

const directory = realpathSync(mkdtempSync(join(tmpdir(), 'tierline-verifier-')))
afterAll(() => rmSync(directory, { recursive: true }))

const never = new AbortController().signal
const environment = { PATH: process.env.PATH, HOME: directory, SECRET: 'hunter2' }

test('runs in the directory, with PATH and HOME and nothing else', async () => {
  expect(await verify('pwd')).toEqual({ passed: true, detail: directory })
  const { detail } = await verify('env')
  expect(detail).toContain(`HOME=${directory}`)
  expect(detail).not.toContain('hunter2')
})

test('gives its arguments to no shell', async () => {
  expect(await verify('echo', '$HOME;', '`id`')).toEqual({ passed: true, detail: '$HOME; `id`' })
})

test('has not passed when it ends with another code than 0, cannot be run, or has no directory', async () => {
  const script = join(directory, 'fail.sh')
  writeFileSync(script, 'echo out; echo problem >&2; exit 3')

  expect(await verify('sh', script)).toEqual({ passed: false, detail: 'ended with 3\nout\nproblem' })
  expect(await verify('no-such-program')).toMatchObject({
    passed: false,
    detail: expect.stringMatching(/could not be run/),
  })
  expect(await runVerifier(verifier('pwd'), join(directory, 'none'), environment, never)).toMatchObject({
    passed: false,
  })
})

test('does not begin what is to be stopped already', async () => {
  const stopped = AbortSignal.abort()

  expect(await runVerifier(verifier('sleep', '60'), directory, environment, stopped)).toEqual({
    passed: false,
    detail: 'was stopped',
  })
})

test('shows the end of what it printed, and bears much of it', async () => {
  const { passed, detail } = await verify('sh', '-c', 'yes line | head -n 200000; echo last')

  expect(passed).toBe(true)
  expect(detail.length).toBeLessThanOrEqual(2_000)
  expect(detail).toMatch(/line\nlast$/)
})

test('is killed with all it started when its time is over, or when it is stopped', async () => {
  const script = join(directory, 'long.sh')
  writeFileSync(script, 'sleep 300 & sleep 300')
  const stop = new AbortController()

  const late = await runVerifier({ run: ['sh', script], timeoutMs: 200 }, directory, environment, never)
  const stopped = runVerifier(verifier('sh', script), directory, environment, stop.signal)
  stop.abort()

  expect(late).toMatchObject({ passed: false, detail: 'took longer than 200 ms' })
  expect(await stopped).toMatchObject({ passed: false, detail: 'was stopped' })
  await expect.poll(() => processesOf(directory), { timeout: 10_000 }).toEqual([])
})

test('leaves nothing running when it ends', async () => {
  expect(await verify('sh', '-c', 'sleep 300 & echo done')).toEqual({ passed: true, detail: 'done' })
  await expect.poll(() => processesOf(directory), { timeout: 10_000 }).toEqual([])
})

test('is over when it has ended, whoever left its group and holds its output open', async () => {
  const script =
    'require("child_process").spawn("sleep", ["300"], { detached: true, stdio: "inherit" }).unref()'
  const leaver = `${script}; console.log("done")`

  expect(await verify(process.execPath, '--eval', leaver)).toEqual({ passed: true, detail: 'done' })
  for (const { pid } of processesOf(directory)) process.kill(pid)
})

test('never throws', async () => {
  expect(await verify('true', 'x'.repeat(3_000_000))).toMatchObject({
    passed: false,
    detail: expect.stringMatching(/^could not be run: .*E2BIG/),
  })
})

function verify(...run: string[]): Promise<{ passed: boolean; detail: string }> {
  return runVerifier(verifier(...run), directory, environment, never)
}

function verifier(...run: string[]): Verifier {
  return { run, timeoutMs: 60_000 }
}
