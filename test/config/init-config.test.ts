import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { checkConfig } from '../../src/config/check-config.ts'
import { formatProblem } from '../../src/config/config-problem.ts'
import { initConfig, renderConfig } from '../../src/config/init-config.ts'
import { parseFile } from '../../src/config/parse-file.ts'
import { deriveTable } from '../../src/routing/derive-tiers.ts'
import { catalogModel, catalogOf } from '../routing/acme.ts'

// The middle ones are what YAML would read as something else without quotes.
const catalog = catalogOf(
  [
    catalogModel('acme/nano', [0.1, 0.4]),
    catalogModel('@scope/a', [0.2, 1]),
    catalogModel('*a/b:', [1, 5]),
    catalogModel('!t/"c"', [1, 5]),
    catalogModel('{x/y}', [2, 5]),
    catalogModel('acme/big', [5, 25]),
  ],
  'acme/big',
)

let directory: string

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tierline-init-'))
})

afterAll(() => rm(directory, { recursive: true }))

describe('renderConfig()', () => {
  test('writes a file that says what holds without one', () => {
    const derived = deriveTable(catalog, 1)
    const parsed = parseFile(renderConfig(catalog, 'x.json'), { path: '/x', generation: 1 })

    if (parsed.status === 'invalid') throw new Error(JSON.stringify(parsed.problems))
    const { tiers, routes, default: fallback, warnings } = parsed.config.table
    expect({ tiers, routes, default: fallback, warnings }).toEqual({
      tiers: derived.tiers,
      routes: derived.routes,
      default: derived.default,
      warnings: [],
    })
  })

  test('shows prices, and what was not clear', () => {
    expect(renderConfig(catalog, 'x.json')).toContain(
      '      - acme/nano  # 0.1 USD in, 0.4 USD out per million tokens\n',
    )
    const unpriced = renderConfig(catalogOf([catalogModel('acme/a', null)]), 'x.json')
    expect(unpriced).toContain('# No model has a known price: all tiers share the same models.\n')
    expect(unpriced).toContain('      - acme/a  # price not known\n')
  })

  test('has nothing to write when the server offers nothing', () => {
    expect(() => renderConfig(catalogOf([]), 'x.json')).toThrow(/opencode auth login/)
  })
})

describe('initConfig()', () => {
  test('writes a new file that editors can check by the published schema', async () => {
    const path = join(directory, 'new.yaml')
    await initConfig(path, catalog)

    const text = await readFile(path, 'utf8')
    const [, schema] = /^# yaml-language-server: \$schema=(\S+)\n/.exec(text) ?? []
    expect(JSON.parse(await readFile(resolve(dirname(path), schema!), 'utf8'))).toMatchObject({
      title: 'tierline.yaml',
    })
    expect(await checkConfig(path)).toMatchObject({ problems: [], warnings: [] })
  })

  test('never writes over a file', async () => {
    const path = join(directory, 'mine.yaml')
    await writeFile(path, 'mine')

    await expect(initConfig(path, catalog)).rejects.toMatchObject({ code: 'invalid_config' })
    expect(await readFile(path, 'utf8')).toBe('mine')
  })

  test('says why it cannot write', async () => {
    await expect(initConfig(join(directory, 'no/such.yaml'), catalog)).rejects.toThrow(
      /cannot be written \(ENOENT\)/,
    )
  })
})

describe('checkConfig()', () => {
  test('lists every problem with its place', async () => {
    const path = join(directory, 'bad.yaml')
    await writeFile(path, 'tiers:\n  fast: { models: [a/b], x: 1 }\nroutes: { lint: 3 }\n')
    const report = await checkConfig(path)

    expect(report.config).toBeNull()
    expect(report.problems.map((problem) => formatProblem('bad.yaml', problem))).toEqual([
      'bad.yaml:2:26: tiers.fast.x: is not a known key; nearest: concurrency, models',
      expect.stringMatching(/^bad\.yaml:3:17: routes\.lint: must be the name of a tier/),
    ])
  })

  test('gives the warnings of a good file', async () => {
    const path = join(directory, 'warned.yaml')
    await writeFile(
      path,
      'tiers: { fast: { models: [a/b] } }\nbudgets: [{ scope: global, per: day, limitUsd: 0 }]\n',
    )

    expect(await checkConfig(path)).toMatchObject({
      problems: [],
      warnings: [
        expect.stringMatching(/^warned\.yaml:2:48: budgets\.0\.limitUsd: is 0: all these tasks are refused/),
      ],
      config: { table: { default: 'fast' } },
    })
  })

  test('says how to get a file that is absent', async () => {
    const { problems } = await checkConfig(join(directory, 'none.yaml'))

    expect(problems).toEqual([
      expect.objectContaining({ message: expect.stringContaining('tierline config init') }),
    ])
  })
})
