import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { checkConfig } from '../../src/config/check-config.ts'
import { formatProblem } from '../../src/config/config-problem.ts'
import { loadFile } from '../../src/config/load-file.ts'
import { parseFile } from '../../src/config/parse-file.ts'

const START = `tiers:
  fast: { models: [acme/nano] }
  powerful: { models: [acme/big] }
routes: { lint: fast, review: fast }
rules:
`

describe('parseFile(), rules', () => {
  test('gives them in their order, with their limits', () => {
    expect(
      tableOf(`
  - when: { promptTokens: { over: 60000 } }
    tier: powerful
    timeoutMs: 600000
  - when: { type: [lint, review], directory: /work/pay, key: ci }
    model: acme/big
    permissions: { bash: deny }
`).rules,
    ).toEqual([
      {
        when: { promptTokens: { over: 60_000 } },
        tier: 'powerful',
        model: null,
        timeoutMs: 600_000,
        maxCostMicroUsd: null,
      },
      {
        when: { types: ['lint', 'review'], directories: ['/work/pay'], keys: ['ci'] },
        tier: null,
        model: 'acme/big',
        timeoutMs: null,
        maxCostMicroUsd: null,
        permissions: { bash: 'deny' },
      },
    ])
  })

  test.each<[string, string, string]>([
    ['a tier that is none', 'when: { key: ci }, tier: fats', '6:32: rules.0.tier: names the tier "fats"'],
    ['no target', 'when: { key: ci }', '6:5: rules.0: needs either "tier" or "model"'],
    ['two targets', 'when: { key: ci }, tier: fast, model: a/b', '6:5: rules.0: needs either'],
    ['no condition', 'when: {}, tier: fast', '6:13: rules.0.when: needs at least one condition'],
    ['nothing to hold', 'tier: fast', '6:5: rules.0.when: is required'],
    ['an unknown condition', 'when: { tenant: a }, tier: fast', '6:15: rules.0.when.tenant: is not a known'],
    [
      'an unknown key',
      'when: { key: a }, tiers: fast',
      '6:25: rules.0.tiers: is not a known key; nearest: t',
    ],
    [
      'a relative directory',
      'when: { directory: [/a, work] }, tier: fast',
      '6:31: rules.0.when.directory.1: must be an absolute path',
    ],
    [
      'a type with a blank',
      'when: { type: my lint }, tier: fast',
      '6:21: rules.0.when.type: must be 1 to 64',
    ],
    [
      'a type of no type',
      'when: { type: 5 }, tier: fast',
      '6:21: rules.0.when.type: must be a text or a list',
    ],
    ['an empty list', 'when: { key: [] }, tier: fast', '6:20: rules.0.when.key: must name at least one'],
    [
      'a list with a number',
      'when: { key: [ci, 7] }, tier: fast',
      '6:25: rules.0.when.key.1: must be a text, and is 7',
    ],
    [
      'a length that is negative',
      'when: { promptTokens: { over: -1 } }, tier: fast',
      '6:37: rules.0.when.promptTokens.over: must be at least 0, and is -1',
    ],
    [
      'a length without a bound',
      'when: { promptTokens: {} }, tier: fast',
      '6:29: rules.0.when.promptTokens: needs "over" or "atMost"',
    ],
  ])('refuses %s', (_, rule, problem) => {
    const parsed = parse(`  - { ${rule} }`)

    const problems = parsed.status === 'invalid' ? parsed.problems.map((one) => formatProblem('f', one)) : []
    expect(problems.join('\n')).toContain(`f:${problem}`)
  })

  test.each<[string, string, string]>([
    [
      'a type that no route has',
      '  - { when: { type: [lint, lnt] }, tier: fast }',
      'tierline.yaml:6:28: rules.0.when.type.1: can never match the type "lnt": it has no route; nearest: lint, review',
    ],
    [
      'a key that does not exist',
      '  - { when: { key: cj }, tier: fast }',
      'tierline.yaml:6:20: rules.0.when.key: can never match the key "cj": TIERLINE_API_KEYS has no such name; nearest: ci, web',
    ],
    [
      'lengths that exclude each other',
      '  - { when: { promptTokens: { over: 9, atMost: 9 } }, tier: fast }',
      'tierline.yaml:6:29: rules.0.when.promptTokens: can never match: over 9 and at most 9 is nothing',
    ],
    [
      'a length that is never accepted',
      '  - { when: { promptTokens: { over: 262144 } }, tier: fast }',
      'tierline.yaml:6:37: rules.0.when.promptTokens.over: matches no text: limits.maxPromptBytes lets in about 262144 tokens',
    ],
    [
      'one that a wider one is before',
      '  - { when: { directory: /work }, tier: fast }\n  - { when: { directory: /work/a, key: ci }, tier: powerful }',
      'tierline.yaml:7:5: rules.1: can never match: rules.0 before it matches all of it',
    ],
    [
      'one that is there twice',
      '  - { when: { key: [web, ci] }, tier: fast }\n  - { when: { key: ci }, tier: fast }',
      'tierline.yaml:7:5: rules.1: can never match: rules.0 before it matches all of it',
    ],
    [
      'a shorter length within a longer',
      '  - { when: { promptTokens: { over: 9 } }, tier: fast }\n  - { when: { promptTokens: { over: 10, atMost: 20 } }, tier: fast }',
      'tierline.yaml:7:5: rules.1: can never match: rules.0 before it matches all of it',
    ],
  ])('warns of %s', (_, rules, warning) => {
    expect(tableOf(rules).warnings).toEqual([warning])
  })

  test.each([
    ['a directory beside another', 'directory: /work/a', 'directory: /work'],
    ['one that begins alike', 'directory: /work', 'directory: /workshop'],
    ['a key of several', 'key: ci', 'key: [ci, web]'],
    ['any key after one', 'key: ci', 'type: lint'],
    ['shorter prompts after longer ones', 'promptTokens: { over: 9 }', 'promptTokens: { over: 8 }'],
    ['longer ones', 'promptTokens: { atMost: 9 }', 'promptTokens: { atMost: 10 }'],
    ['all lengths after some', 'promptTokens: { over: 9 }, key: ci', 'key: ci'],
  ])('does not warn of %s', (_, ...conditions) => {
    const rules = conditions.map((when) => `  - { when: { ${when} }, tier: fast }`).join('\n')

    expect(tableOf(rules).warnings).toEqual([])
  })

  test('does not warn of a key where nobody knows which there are', () => {
    expect(tableOf('  - { when: { key: cj }, tier: fast }', undefined).warnings).toEqual([])
  })
})

describe('loadFile(), rules', () => {
  test('follows links to directories, also where the last part does not exist yet', async () => {
    const home = await realpath(await mkdtemp(join(tmpdir(), 'tierline-rules-')))
    try {
      await mkdir(join(home, 'real'))
      await symlink(join(home, 'real'), join(home, 'link'))
      const path = join(home, 'tierline.yaml')
      const rule = `  - { when: { directory: [${home}/link, ${home}/link/later, ${home}/real/../none] }, tier: fast }`
      await writeFile(path, START + rule)
      const file = await loadFile(path, 1)

      expect(file.status === 'valid' && file.config.table.rules[0]?.when.directories).toEqual([
        `${home}/real`,
        `${home}/real/later`,
        `${home}/none`,
      ])
      expect((await checkConfig(path, { keys: [] })).warnings).toEqual([])
    } finally {
      await rm(home, { recursive: true })
    }
  })

  test('warns of directories in which no task may work, by their real paths', async () => {
    const home = await realpath(await mkdtemp(join(tmpdir(), 'tierline-rules-')))
    try {
      await mkdir(join(home, 'real'))
      await symlink(join(home, 'real'), join(home, 'link'))
      const path = join(home, 'tierline.yaml')
      const rules = ['link/pay', '../..', 'real', 'other', 'real-not'].map(
        (name, index) => `  - { when: { directory: ${join(home, name)}, key: k${index} }, tier: fast }\n`,
      )
      await writeFile(path, `${START}${rules.join('')}directories: { allow: [${home}/real] }\n`)
      const warnings = async (directories: readonly string[] | null | undefined) =>
        (await checkConfig(path, { directories })).warnings.map((warning) => warning.slice(0, 40))
      const never = (line: number) =>
        expect.stringContaining(`tierline.yaml:${line}:5: rules.${line - 6}: can never`.slice(0, 40))

      expect(await warnings(null)).toEqual([never(9), never(10)])
      expect(await warnings([`${home}/other`])).toEqual([never(6), never(8), never(10)])
      expect(await warnings(undefined)).toEqual([])
    } finally {
      await rm(home, { recursive: true })
    }
  })
})

function parse(rules: string, keys: readonly string[] | undefined = ['web', 'ci']) {
  return parseFile(START + rules, { path: '/etc/tierline.yaml', generation: 1, keys })
}

function tableOf(rules: string, ...keys: [undefined?]) {
  const parsed =
    keys.length === 0 ? parse(rules) : parseFile(START + rules, { path: '/etc/t', generation: 1 })
  if (parsed.status === 'valid') return parsed.config.table
  throw new Error(parsed.problems.map((problem) => formatProblem('f', problem)).join('\n'))
}
