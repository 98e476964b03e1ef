import { describe, expect, test } from 'vitest'
import { configError, formatProblem } from '../../src/config/config-problem.ts'
import { configOf, problemsOf, TIERS } from './parsed.ts'

describe('parseFile(), a good file', () => {
  test('gives the table in file order, with its generation and source', () => {
    const { table } = configOf(
      `${TIERS}routes:
  lint: fast
  review: { tier: balanced, maxCostUsd: 0.50, timeoutMs: 600000 }
  translate: { model: openrouter/openai/gpt-5.4-mini }
  summarize: acme/nano
default: fast
`,
    )

    expect(table).toMatchObject({
      generation: 7,
      source: { kind: 'file', path: '/etc/tierline.yaml' },
      default: 'fast',
    })
    expect(table.tiers).toEqual([
      { name: 'fast', models: ['acme/nano', 'globex/fast'], concurrency: 16 },
      { name: 'balanced', models: ['acme/base'], concurrency: null },
    ])
    expect(Object.fromEntries(table.routes)).toEqual({
      lint: { tier: 'fast', model: null, timeoutMs: null, maxCostMicroUsd: null },
      review: { tier: 'balanced', model: null, timeoutMs: 600_000, maxCostMicroUsd: 500_000 },
      translate: {
        tier: null,
        model: 'openrouter/openai/gpt-5.4-mini',
        timeoutMs: null,
        maxCostMicroUsd: null,
      },
      summarize: { tier: null, model: 'acme/nano', timeoutMs: null, maxCostMicroUsd: null },
    })
    expect(table.firstTierOf.get('acme/base')).toBe('balanced')
  })

  test('takes balanced as the default, else the first tier', () => {
    expect(configOf(TIERS).table.default).toBe('balanced')
    expect(configOf('tiers: { small: { models: [a/b] }, large: { models: [c/d] } }').table.default).toBe(
      'small',
    )
  })

  test('fills in what is not said', () => {
    expect(configOf(TIERS)).toMatchObject({
      limits: {
        maxWaitingTasks: 100_000,
        maxPromptBytes: 1_048_576,
        timeoutMs: 1_800_000,
        logAgeMs: 86_400_000,
        taskAgeMs: 604_800_000,
        maxFinishedTasks: 10_000,
        maxLogEvents: 10_000,
        ledgerDays: 400,
      },
      retry: {
        maxTries: 3,
        backoffMs: 1000,
        maxBackoffMs: 60_000,
        maxRetryAfterMs: 60_000,
        cooldownMs: 30_000,
        maxCooldownMs: 600_000,
      },
      workerConcurrency: 10,
      directories: { allow: null },
      http: { allowedHosts: [], corsOrigins: [] },
    })
  })

  test('takes what is said of everything else', () => {
    const config = configOf(`${TIERS}
limits: { maxWaitingTasks: 5, maxPromptBytes: 2000 }
tasks: { timeoutMs: 60000, retry: { maxTries: 1, backoffMs: 0, maxBackoffMs: 5 } }
retention: { logAgeMs: 60000, taskAgeMs: 70000, maxFinishedTasks: 8, maxLogEvents: 100 }
workers: { concurrency: 3 }
directories: { allow: [/srv, /data] }
http: { allowedHosts: [tierline.internal], corsOrigins: [https://ui.example] }
`)

    expect(config).toMatchObject({
      limits: {
        maxWaitingTasks: 5,
        maxPromptBytes: 2000,
        timeoutMs: 60_000,
        logAgeMs: 60_000,
        taskAgeMs: 70_000,
        maxFinishedTasks: 8,
        maxLogEvents: 100,
        ledgerDays: 400,
      },
      retry: {
        maxTries: 1,
        backoffMs: 0,
        maxBackoffMs: 5,
        maxRetryAfterMs: 60_000,
        cooldownMs: 30_000,
        maxCooldownMs: 600_000,
      },
      workerConcurrency: 3,
      directories: { allow: ['/srv', '/data'] },
      http: { allowedHosts: ['tierline.internal'], corsOrigins: ['https://ui.example'] },
    })
    expect(config.table.warnings).toEqual([])
  })

  test.each([
    ['a section without content', `${TIERS}budgets:\nlimits:\n`],
    ['JSON', '{"tiers":{"balanced":{"models":["a/b"]}}}'],
    ['Windows line ends', TIERS.replaceAll('\n', '\r\n')],
    ['a byte order mark', `\ufeff${TIERS}`],
    ['anchors', 'tiers: { balanced: { models: &m [a/b] }, other: { models: *m } }'],
    [
      'names as of objects',
      `${TIERS}routes: { constructor: fast, toString: balanced, hasOwnProperty: fast }`,
    ],
  ])('takes %s', (_, text) => {
    expect(configOf(text).table.default).toBe('balanced')
  })
})

describe('parseFile(), a bad file', () => {
  test.each<[string, string, string]>([
    ['an empty file', '', '1:1: is empty: name at least one tier with models'],
    ['a file of comments', '# tiers:\n', '1:1: is empty: name at least one tier with models'],
    ['a text', 'hello', '1:1: must be a map, and is "hello"'],
    ['a list', '- tiers', '1:1: must be a map'],
    ['no tiers', 'routes: { lint: fast }', '1:1: tiers: is required'],
    ['tiers without a tier', 'tiers: {}', '1:8: tiers: must name at least one tier'],
    [
      'a tier without models',
      'tiers:\n  fast: { models: [] }',
      '2:19: tiers.fast.models: must name at least one model',
    ],
    ['a tier that lacks models', 'tiers:\n  fast: { concurrency: 3 }', '2:9: tiers.fast.models: is required'],
    [
      'a model without provider',
      'tiers:\n  fast:\n    models:\n      - nano',
      '4:9: tiers.fast.models.0: must be "provider/model", and is "nano"',
    ],
    [
      'a model twice',
      'tiers:\n  fast: { models: [a/b, a/b] }',
      '2:25: tiers.fast.models.1: names "a/b" a second time',
    ],
    [
      'a reserved tier',
      `${TIERS}  direct: { models: [a/b] }`,
      '4:3: tiers.direct: is the name of a queue that tierline keeps',
    ],
    [
      'the other reserved tier',
      `${TIERS}  nested: { models: [a/b] }`,
      '4:3: tiers.nested: is the name of a queue that tierline keeps',
    ],
    [
      'a verifier without a program',
      `${TIERS}verifiers: { none: { run: [] } }`,
      '4:27: verifiers.none.run: must name at least the program',
    ],
    ['a tier that is a number', `${TIERS}  7: { models: [a/b] }`, '4:3: tiers.7: must not be a number alone'],
    [
      'a name with a blank',
      `${TIERS}  "my tier": { models: [a/b] }`,
      '4:3: tiers.my tier: must be 1 to 64 letters, digits, ".", "_" or "-", not starting with a sign',
    ],
    [
      'a route to no tier',
      `${TIERS}routes:\n  lint: fats`,
      '5:9: routes.lint: names the tier "fats", which does not exist; nearest: fast, balanced',
    ],
    [
      'a rule to no tier',
      `${TIERS}routes:\n  lint: { tier: fats }`,
      '5:17: routes.lint.tier: names the tier "fats", which does not exist; nearest: fast, balanced',
    ],
    [
      'a rule to two places',
      `${TIERS}routes: { x: { tier: fast, model: a/b } }`,
      '4:14: routes.x: needs either "tier" or "model"',
    ],
    [
      'a rule to nowhere',
      `${TIERS}routes: { x: { timeoutMs: 5000 } }`,
      '4:14: routes.x: needs either "tier" or "model"',
    ],
    [
      'a route that is a number',
      `${TIERS}routes: { x: 5 }`,
      '4:14: routes.x: must be the name of a tier, "provider/model", or a map such as { tier: fast }, and is 5',
    ],
    [
      'words for a number in a route',
      `${TIERS}routes:\n  lint: { tier: fast, timeoutMs: soon }`,
      '5:34: routes.lint.timeoutMs: must be a number, and is "soon"',
    ],
    [
      'a default that is no tier',
      `${TIERS}default: fst`,
      '4:10: default: names the tier "fst", which does not exist; nearest: fast, balanced',
    ],
    ['an unknown key', `${TIERS}defualt: fast`, '4:1: defualt: is not a known key; nearest: default, '],
    [
      'an unknown key in a tier',
      'tiers:\n  fast:\n    models: [a/b]\n    concurency: 4',
      '4:5: tiers.fast.concurency: is not a known key; nearest: concurrency, models',
    ],
    [
      'an unknown key in a rule',
      `${TIERS}routes:\n  x: { tier: fast, timeout: 5 }`,
      '5:20: routes.x.timeout: is not a known key; nearest: timeoutMs, ',
    ],
    [
      'a key of another section',
      `${TIERS}limits: { timeoutMs: 5000 }`,
      '4:11: limits.timeoutMs: is not a known key; nearest: ',
    ],
    ['__proto__', `${TIERS}__proto__: { a: 1 }`, '4:1: __proto__: is not a known key; nearest: '],
    [
      '__proto__ for a name',
      'tiers:\n  fast: { models: [a/b] }\n  __proto__: { models: [a/b] }\ndefault: fast',
      '3:3: tiers.__proto__: is no name that may be used',
    ],
    [
      'a negative limit',
      `${TIERS}limits: { maxWaitingTasks: -1 }`,
      '4:28: limits.maxWaitingTasks: must be at least 1, and is -1',
    ],
    [
      'half a task',
      `${TIERS}limits: { maxWaitingTasks: 1.5 }`,
      '4:28: limits.maxWaitingTasks: must be a whole number, and is 1.5',
    ],
    [
      'a number in quotes',
      `${TIERS}limits: { maxPromptBytes: "5" }`,
      '4:27: limits.maxPromptBytes: must be a number, and is "5"',
    ],
    [
      'a time that is too short',
      `${TIERS}tasks: { timeoutMs: 10 }`,
      '4:21: tasks.timeoutMs: must be at least 1000, and is 10',
    ],
    [
      'a relative directory',
      `${TIERS}directories: { allow: [work] }`,
      '4:24: directories.allow.0: must be an absolute path',
    ],
    [
      'broken YAML',
      'tiers: [',
      '1:9: Flow sequence in block collection must be sufficiently indented and end with a ]',
    ],
    ['a tab', 'tiers:\n\tfast: x', '2:1: Tabs are not allowed as indentation'],
    ['a key twice', `${TIERS}  fast: { models: [c/d] }`, '4:3: Map keys must be unique'],
    [
      'an alias to nothing',
      'tiers: *none',
      '1:8: Unresolved alias (the anchor must be set before the alias): none',
    ],
    ['an unknown tag', 'tiers: !!js/function x', '1:8: Unresolved tag: tag:yaml.org,2002:js/function'],
    ['two documents', `${TIERS}---\n${TIERS}`, '4:1: must be one YAML document, and is several'],
    ['an alias bomb', bomb(), '1:1: Excessive alias count indicates a resource exhaustion attack'],
  ])('%s', (_, text, problem) => {
    const [first] = problemsOf(text)

    expect(formatProblem('f', first!)).toContain(`f:${problem}`)
  })

  test('tells everything that is wrong, in the order of the lines', () => {
    const problems = problemsOf(`defualt: fast
limits: { maxPromptBytes: -1 }
tiers:
  fast:
    models: [nano]
    concurrency: none
`)

    expect(problems.map(({ line, field }) => `${line} ${field}`)).toEqual([
      '1 defualt',
      '2 limits.maxPromptBytes',
      '5 tiers.fast.models.0',
      '6 tiers.fast.concurrency',
    ])
  })
})

describe('parseFile(), a file of which the form is wrong', () => {
  test.each<[string, string, string[]]>([
    [
      'a tier that is wrong is still a tier',
      `tiers:
  fast: { models: [nano] }
  large: { models: [a/b], concurency: 4 }
routes: { lint: fast, review: large, docs: lagre }
default: fats`,
      ['2 tiers.fast.models.0', '3 tiers.large.concurency', '4 routes.docs', '5 default'],
    ],
    [
      'a route that is wrong is still a route',
      `${TIERS}routes: { lint: 5, docs: fats }
budgets:
  - { scope: "type:lint", per: day, limitUsd: 5 }
  - { scope: "type:lnt", per: day, limitUsd: 5 }
  - { scope: "type:lnt", per: weekly, limitUsd: 5 }`,
      ['4 routes.lint', '4 routes.docs', '7 budgets.1.scope', '8 budgets.2.per'],
    ],
    [
      'one of a list that is wrong moves no other',
      `${TIERS}rules:
  - { when: { key: ci } }
  - { when: { directory: work }, tier: fats }
limits: { maxPromptBytes: -1 }`,
      ['5 rules.0', '6 rules.1.when.directory', '6 rules.1.tier', '7 limits.maxPromptBytes'],
    ],
    [
      'a key that is no key hides nothing',
      `${TIERS}defualt: fast\nroutes: { x: fats }`,
      ['4 defualt', '5 routes.x'],
    ],
    [
      'a name that is none',
      `${TIERS}  "my tier": { models: [a/b] }\ndefault: fats`,
      ['4 tiers.my tier', '5 default'],
    ],
    ['without tiers nothing is known of them', 'tiers: [a]\nroutes: { x: fats }', ['1 tiers']],
    ['nor of a text', 'tiers', ['1 ']],
  ])('%s', (_, text, places) => {
    expect(problemsOf(text).map(({ line, field }) => `${line} ${field}`)).toEqual(places)
  })
})

test('configError() names the first problem, counts the rest, and has every place', () => {
  const error = configError('/etc/tierline.yaml', problemsOf('tiers: { fast: { models: [nano], x: 1 } }'))

  expect(error).toMatchObject({
    code: 'invalid_config',
    message:
      'Cannot use the configuration file "/etc/tierline.yaml": tierline.yaml:1:27: tiers.fast.models.0: must be "provider/model", and is "nano" (and 1 more)',
    errors: [
      { field: 'tierline.yaml:1:27 tiers.fast.models.0', given: 'nano' },
      { field: 'tierline.yaml:1:34 tiers.fast.x', allowed: ['concurrency', 'models'] },
    ],
  })
})

/** 9^9 nodes in nine lines. */
function bomb(): string {
  const lines = [...'bcdefghi'].map((name, i) => `${name}: &${name} [${`*${'abcdefgh'[i]},`.repeat(9)}]`)
  return ['a: &a [1,1,1,1,1,1,1,1,1]', ...lines].join('\n')
}
