import { describe, expect, test } from 'vitest'
import type { Config } from '../../src/config/config.ts'
import { configError, formatProblem } from '../../src/config/config-problem.ts'
import { parseFile } from '../../src/config/parse-file.ts'

const TIERS = `tiers:
  fast: { models: [acme/nano, globex/fast], concurrency: 16 }
  balanced: { models: [acme/base] }
`

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

  test('turns prices into micro-USD; cache prices that are not given are those of input', () => {
    const { table } = configOf(`${TIERS}models:
  acme/nano: { price: { inputUsdPerMTok: 0.1, outputUsdPerMTok: 0.4, cacheReadUsdPerMTok: 0.01 } }
  ollama: { price: { inputUsdPerMTok: 0, outputUsdPerMTok: 0 } }
  globex: { price: { inputUsdPerMTok: 2, outputUsdPerMTok: 4 } }
`)

    expect(table.prices.get('acme/nano')).toEqual({
      inputMicroUsdPerMTok: 100_000,
      outputMicroUsdPerMTok: 400_000,
      cacheReadMicroUsdPerMTok: 10_000,
      cacheWriteMicroUsdPerMTok: 100_000,
    })
    expect(table.prices.get('acme/nano')).not.toHaveProperty('bands')
    expect(table.prices.get('ollama')?.cacheReadMicroUsdPerMTok).toBe(0)
    expect(table.prices.get('globex')?.cacheReadMicroUsdPerMTok).toBe(2_000_000)
    expect(table.warnings).toEqual([])
  })

  test('sorts the prices of long prompts', () => {
    const { table } = configOf(`${TIERS}models:
  acme/big:
    price:
      inputUsdPerMTok: 2
      outputUsdPerMTok: 12
      bands:
        - { aboveContextTokens: 500000, inputUsdPerMTok: 8, outputUsdPerMTok: 24 }
        - { aboveContextTokens: 200000, inputUsdPerMTok: 4, outputUsdPerMTok: 18, cacheReadUsdPerMTok: 0.4 }
`)

    expect(table.prices.get('acme/big')?.bands).toEqual([
      {
        aboveContextTokens: 200_000,
        inputMicroUsdPerMTok: 4_000_000,
        outputMicroUsdPerMTok: 18_000_000,
        cacheReadMicroUsdPerMTok: 400_000,
        cacheWriteMicroUsdPerMTok: 4_000_000,
      },
      expect.objectContaining({ aboveContextTokens: 500_000, outputMicroUsdPerMTok: 24_000_000 }),
    ])
  })

  test('keeps limits and budgets, and warns of what nothing enforces yet', () => {
    const config = configOf(`${TIERS}routes: { lint: { tier: fast, maxCostUsd: 1 } }
models:
  acme/nano: { concurrency: 20, requestsPerMinute: 300, tokensPerMinute: 400000 }
budgets:
  - { scope: global, per: day, limitUsd: 50, timeZone: Europe/Berlin }
  - { scope: "type:lint", per: hour, limitUsd: 1, onExceed: downgrade, downgradeAtPercent: 80 }
`)

    expect(config.table.caps?.get('model:acme/nano')).toEqual({
      concurrency: 20,
      requestsPerMinute: 300,
      tokensPerMinute: 400_000,
    })
    expect(config.table.budgets).toEqual([
      {
        scope: 'global',
        per: 'day',
        limitMicroUsd: 50_000_000,
        timeZone: 'Europe/Berlin',
        onExceed: 'reject',
        downgradeAtPercent: null,
        onUnknownPrice: 'reject',
        place: 'tierline.yaml:8:5: budgets.0',
      },
      {
        scope: 'type:lint',
        per: 'hour',
        limitMicroUsd: 1_000_000,
        timeZone: 'UTC',
        onExceed: 'downgrade',
        downgradeAtPercent: 80,
        onUnknownPrice: 'reject',
        place: 'tierline.yaml:9:5: budgets.1',
      },
    ])
    expect(config.table.warnings).toEqual([])
  })

  test('warns at its line of a budget that is probably not meant so', () => {
    const { table } = configOf(`${TIERS}budgets:
  - { scope: global, per: day, limitUsd: 5 }
  - { scope: global, per: hour, limitUsd: 5 }
  - { scope: "provider:acme", per: day, limitUsd: 0.001 }
  - { scope: "provider:acme", per: hour, limitUsd: 0 }
  - { scope: "key:ci", per: day, limitUsd: 5, onExceed: downgrade }
`)

    expect(table.warnings).toEqual([
      'tierline.yaml:6:43: budgets.1.limitUsd: is never reached: the budget per day allows $5',
      'tierline.yaml:7:51: budgets.2.limitUsd: may be less than one step of a model costs: one task at a time, which may cost more',
      'tierline.yaml:8:52: budgets.3.limitUsd: is 0: all these tasks are refused, but those of models that are free',
      'tierline.yaml:9:57: budgets.4.onExceed: refuses when all is spent, since a cheaper tier counts too: name a downgradeAtPercent below 100',
    ])
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
      'a negative budget',
      budget('global, per: day, limitUsd: -5'),
      '5:42: budgets.0.limitUsd: must be at least 0, and is -5',
    ],
    [
      'a budget that is no number',
      budget('global, per: day, limitUsd: .nan'),
      '5:42: budgets.0.limitUsd: must be a number, and is NaN',
    ],
    [
      'an endless budget',
      budget('global, per: day, limitUsd: .inf'),
      '5:42: budgets.0.limitUsd: must be a number, and is Infinity',
    ],
    [
      'an unknown window',
      budget('global, per: week, limitUsd: 5'),
      '5:27: budgets.0.per: must be one of hour, day, month, once, and is "week"',
    ],
    [
      'an unknown scope',
      budget('user:me, per: day, limitUsd: 5'),
      '5:14: budgets.0.scope: must be global, type:NAME, ',
    ],
    [
      'a scope of no tier',
      budget('tier:fst, per: day, limitUsd: 5'),
      '5:14: budgets.0.scope: names the tier "fst", which does not exist; nearest: fast, balanced',
    ],
    [
      'a scope of no type',
      budget('type:lint, per: day, limitUsd: 5'),
      '5:14: budgets.0.scope: names the task type "lint", which has no route',
    ],
    [
      'a time zone of no place',
      budget('global, per: day, limitUsd: 5, timeZone: Mars/Base'),
      '5:55: budgets.0.timeZone: must be a time zone such as "Europe/Berlin", and is "Mars/Base"',
    ],
    [
      'a percentage without downgrade',
      budget('global, per: day, limitUsd: 5, downgradeAtPercent: 80'),
      '5:65: budgets.0.downgradeAtPercent: means something only with onExceed: downgrade',
    ],
    [
      'two budgets of one scope',
      `${budget('global, per: day, limitUsd: 5')}  - { scope: global, per: day, limitUsd: 6 }`,
      '6:14: budgets.1.scope: has a budget per day already',
    ],
    [
      'a wait for a window that never comes',
      budget('global, per: once, limitUsd: 5, onExceed: queue'),
      '5:56: budgets.0.onExceed: would wait for ever: a budget for once has no next window',
    ],
    [
      'a cheaper tier where there is one tier',
      `tiers: { fast: { models: [a/b] } }\nbudgets:\n  - { scope: global, per: day, limitUsd: 5, onExceed: downgrade }\n`,
      '3:55: budgets.0.onExceed: needs a cheaper tier, and there is only one',
    ],
    [
      'a model without its provider',
      budget('"model:nano", per: day, limitUsd: 5'),
      '5:14: budgets.0.scope: must be global, type:NAME, ',
    ],
    [
      'a task that may cost nothing',
      `${TIERS}routes: { lint: { tier: fast, maxCostUsd: 0 } }`,
      '4:43: routes.lint.maxCostUsd: must be at least 0.000001, and is 0',
    ],
    [
      'a relative directory',
      `${TIERS}directories: { allow: [work] }`,
      '4:24: directories.allow.0: must be an absolute path',
    ],
    [
      'a price by half',
      `${TIERS}models: { a/b: { price: { inputUsdPerMTok: 1 } } }`,
      '4:25: models.a/b.price.outputUsdPerMTok: is required',
    ],
    [
      'a band without a threshold',
      `${TIERS}models: { a/b: { price: { inputUsdPerMTok: 1, outputUsdPerMTok: 1, bands: [{ inputUsdPerMTok: 1, outputUsdPerMTok: 1 }] } } }`,
      '4:76: models.a/b.price.bands.0.aboveContextTokens: is required',
    ],
    [
      'two bands of one threshold',
      `${TIERS}models:
  a/b:
    price:
      inputUsdPerMTok: 1
      outputUsdPerMTok: 1
      bands:
        - { aboveContextTokens: 9, inputUsdPerMTok: 1, outputUsdPerMTok: 1 }
        - { aboveContextTokens: 9, inputUsdPerMTok: 2, outputUsdPerMTok: 1 }`,
      '11:33: models.a/b.price.bands.1.aboveContextTokens: has a band already',
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

function configOf(text: string): Config {
  const parsed = parseFile(text, { path: '/etc/tierline.yaml', generation: 7 })
  if (parsed.status === 'valid') return parsed.config
  throw new Error(parsed.problems.map((problem) => formatProblem('f', problem)).join('\n'))
}

function problemsOf(text: string) {
  const parsed = parseFile(text, { path: '/etc/tierline.yaml', generation: 7 })
  if (parsed.status === 'invalid') return parsed.problems
  throw new Error('Expected problems: the file is good')
}

function budget(scope: string): string {
  return `${TIERS}budgets:\n  - { scope: ${scope} }\n`
}

/** 9^9 nodes in nine lines. */
function bomb(): string {
  const lines = [...'bcdefghi'].map((name, i) => `${name}: &${name} [${`*${'abcdefgh'[i]},`.repeat(9)}]`)
  return ['a: &a [1,1,1,1,1,1,1,1,1]', ...lines].join('\n')
}
