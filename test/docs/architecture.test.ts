import { existsSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { createKeys } from '../../src/redis/keys.ts'
import { TRANSITIONS } from '../../src/tasks/state.ts'
import { MAY_IMPORT } from '../import-map.ts'

const page = readFileSync('docs/architecture.md', 'utf8')

test('docs/architecture.md draws every transition of a task, and no other', () => {
  const drawn = [...inside('states').matchAll(/^ {2}(\w+) --> (\w+)/gm)].map(
    ([, from, to]) => `${from} → ${to}`,
  )

  const allowed = Object.entries(TRANSITIONS).flatMap(([from, states]) =>
    states.map((to) => `${from} → ${to}`),
  )
  expect(drawn.sort()).toEqual(allowed.sort())
})

test('docs/architecture.md has every key of Redis, and no other', () => {
  const {
    root,
    queuePrefix,
    task,
    log,
    channel,
    children,
    ends,
    ended,
    once,
    ledger,
    turns,
    gate,
    ...named
  } = createKeys(undefined)
  const keys = [
    ...[task, log, channel, children].map((keyOf) => keyOf('ID')),
    ...Object.values(gate('NAME')),
    ...(['failed', 'cancelled'] as const).map(ended),
    ends('PROCESS'),
    once('DIGEST'),
    ledger('DAY'),
    turns('QUEUE'),
    ...Object.values(named),
    queuePrefix,
  ]

  expect(keys.every((key) => key.startsWith(root))).toBe(true)
  expect(firstCells('keys').sort()).toEqual(keys.sort())
})

test('docs/architecture.md lists every folder with what it may import, in the order of the map', () => {
  const rows = [...inside('folders').matchAll(/^\| `([\w-]+)` \| .+ \| (.+) \|$/gm)].map(
    ([, folder, imports]) => [folder, imports === '-' ? [] : imports!.split(', ')],
  )

  expect(rows).toEqual(Object.entries(MAY_IMPORT))
})

test('docs/architecture.md names only files that exist', () => {
  const files = [...page.matchAll(/`([\w./-]+\/[\w.-]*)`/g)].map(([, file]) => file!)

  expect(files.length).toBeGreaterThan(30)
  expect(files.filter((file) => !existsSync(`src/${file}`) && !existsSync(file))).toEqual([])
})

/** What stands between `<!-- name: … -->` and `<!-- /name -->`. */
function inside(name: string): string {
  return page.split(new RegExp(`<!-- /?${name}\\b[^>]*-->`))[1]!
}

function firstCells(name: string): string[] {
  return [...inside(name).matchAll(/^\| `([^`]+)`/gm)].map(([, cell]) => cell!)
}
