/** The package as it is published: built, packed, unpacked where somebody uses it, and run there. */
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

interface Manifest {
  version: string
  dependencies: Record<string, string>
  [field: string]: unknown
}

const run = promisify(execFile)
const SLOW_MS = 300_000
const source = JSON.parse(readFileSync('package.json', 'utf8')) as Manifest
const home = mkdtempSync(join(tmpdir(), 'tierline-package-'))
const consumer = join(home, 'consumer')
const installed = join(consumer, 'node_modules', 'tierline')
let files: string[]
let manifest: Manifest

beforeAll(async () => {
  const built = join(home, 'dist')
  await run(process.execPath, ['scripts/build.ts', built])
  const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', home], {
    cwd: built,
    shell: process.platform === 'win32',
  })
  const [packed] = JSON.parse(stdout) as { filename: string; files: { path: string }[] }[]
  files = packed!.files.map(({ path }) => path)
  mkdirSync(installed, { recursive: true })
  await run('tar', ['-xzf', join(home, packed!.filename), '-C', installed, '--strip-components=1'])
  manifest = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'))
  // What npm would install beside it, and what a user brings along; nothing that only we have.
  for (const name of [...Object.keys(manifest.dependencies), 'opencode-ai']) link(name)
  writeFileSync(join(consumer, 'package.json'), '{ "type": "module" }')
}, SLOW_MS)

afterAll(() => rmSync(home, { recursive: true, force: true }))

describe('the manifest', () => {
  test('has what a user needs', () => {
    expect(manifest).toMatchObject({
      name: 'tierline',
      version: source.version,
      engines: { node: '>=22.18' },
      dependencies: source.dependencies,
    })
  })

  test('has nothing that only a checkout needs', () => {
    const names = ['private', 'scripts', 'devDependencies', 'optionalDependencies', 'allowScripts']
    expect(names.filter((name) => name in manifest)).toEqual([])
    // The Node that a checkout brings along.
    expect(JSON.stringify(manifest)).not.toMatch(/"node-(bin-)?(linux|darwin|win)/)
  })

  test('names only files that are there', () => {
    const named = JSON.stringify([manifest.exports, manifest.bin]).matchAll(/"((?:\.\/)?[\w/]+\.[\w.]+)"/g)
    const paths = [...named].map(([, path]) => path!.replace(/^\.\//, ''))
    expect(paths).toContain('src/cli/bin.js')
    expect(paths.filter((path) => !files.includes(path) && path !== 'package.json')).toEqual([])
  })
})

describe('the files', () => {
  test('include what is read at run time', () => {
    expect(files).toEqual(
      expect.arrayContaining([
        'LICENSE',
        'docs/tierline.schema.json',
        'src/redis/scripts/claim-task.lua',
        'test/provider/main.js',
        'workers/guardian.js',
      ]),
    )
  })

  test('are built, and no tests', () => {
    const top = new Set(files.filter((path) => path.includes('/')).map((path) => path.split('/')[0]))
    expect([...top].sort()).toEqual(['docs', 'src', 'test', 'workers'])
    expect(files.filter((path) => /(?<!\.d)\.ts$|\.test\./.test(path))).toEqual([])
    expect(files.filter((path) => path.startsWith('test/') && !path.startsWith('test/provider/'))).toEqual([])
  })
})

describe('installed', () => {
  test('tierline --version and --help', async () => {
    expect((await tierline('--version')).trim()).toBe(source.version)
    expect(await tierline('--help')).toContain('submit')
  })

  test('the library and the client can be imported', async () => {
    const script = `
      import { createTierline, TierlineError } from 'tierline'
      import { createClient, isTierlineError } from 'tierline/client'
      const error = new TierlineError('not_found', 'x')
      console.log(JSON.stringify([typeof createTierline, typeof createClient, isTierlineError(error)]))`
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script], { cwd: consumer })
    expect(JSON.parse(stdout)).toEqual(['function', 'function', true])
  })

  test('the types hold for somebody who checks strictly', { timeout: SLOW_MS }, async () => {
    writeFileSync(
      join(consumer, 'use.ts'),
      `import { createTierline, type Task } from 'tierline'
       import { createClient } from 'tierline/client'
       const tierline = await createTierline({ redisUrl: 'redis://127.0.0.1:6379' })
       const handle = await tierline.enqueue({ type: 'lint', prompt: 'Look' })
       const task: Task = await createClient({ url: 'http://127.0.0.1:4400' }).task(handle.id).task()
       // @ts-expect-error: no such state
       if (task.state === 'lost') await tierline.close()`,
    )
    link('@types/node')
    const tsc = join(import.meta.dirname, '../../node_modules/typescript/bin/tsc')
    const flags = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2024', '--types', 'node']
    const checked = run(process.execPath, [tsc, ...flags, 'use.ts'], { cwd: consumer })
    await expect(checked).resolves.toEqual({ stdout: '', stderr: '' })
  })

  // All that is started by a path: the roles, the guardian, the embedded Redis, the scripted provider.
  test('tierline demo works', { timeout: SLOW_MS }, async () => {
    const report = JSON.parse(await tierline('demo', '--json')) as { results: { ok: boolean }[] }
    expect(report.results.length).toBeGreaterThanOrEqual(12)
    expect(report.results.every(({ ok }) => ok)).toBe(true)
  })
})

async function tierline(...args: string[]): Promise<string> {
  const bin = join(installed, 'src/cli/bin.js')
  return (await run(process.execPath, [bin, ...args], { cwd: consumer })).stdout
}

/** Puts one of our own dependencies into the consumer's node_modules. */
function link(name: string): void {
  const path = join(consumer, 'node_modules', name)
  mkdirSync(dirname(path), { recursive: true })
  symlinkSync(join(import.meta.dirname, '../../node_modules', name), path, 'junction')
}
