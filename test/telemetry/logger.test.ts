import { describe, expect, test } from 'vitest'
import { createLogger, type LoggerOptions } from '../../src/telemetry/logger.ts'

describe('createLogger()', () => {
  test('writes one JSON object a line, with level, time, message and fields', () => {
    const { log, lines } = captured()
    log.info({ taskID: 'tsk_1' }, 'Claimed')
    log.child({ worker: 'w1' }).warn({}, 'Slow')

    expect(lines().map((line) => JSON.parse(line))).toEqual([
      { level: 'info', time: expect.any(Number), taskID: 'tsk_1', msg: 'Claimed' },
      { level: 'warn', time: expect.any(Number), worker: 'w1', msg: 'Slow' },
    ])
  })

  test('writes nothing below its level', () => {
    const { log, lines } = captured({ level: 'warn' })
    log.info({}, 'quiet')
    log.error({}, 'loud')

    expect(lines()).toHaveLength(1)
  })

  test('keeps stack and cause of an error', () => {
    const { log, lines } = captured()
    log.error({ err: new TypeError('broken', { cause: new Error('root') }) }, 'Failed')

    expect(JSON.parse(lines()[0]!).err).toMatchObject({
      type: 'TypeError',
      message: expect.stringContaining('root'),
      stack: expect.stringContaining('TypeError: broken'),
    })
  })

  test.each<[string, object, string]>([
    ['a field by its name', { password: 'hush-hush' }, ''],
    ['a nested field', { a: { b: [{ apiKey: 'hush-hush' }] } }, ''],
    ['a header', { headers: { Authorization: 'hush-hush' } }, ''],
    ['a field that only ends so', { OPENCODE_SERVER_PASSWORD: 'hush-hush' }, ''],
    ['quotes in a value', { secret: 'a"hush-hush\\' }, ''],
    ['JSON within a text', { body: JSON.stringify({ token: 'hush-hush', ok: 1 }) }, ''],
    ['JSON within JSON within a text', { body: JSON.stringify(JSON.stringify({ token: 'hush-hush' })) }, ''],
    ['a login in a URL', { url: 'redis://user:hush-hush@127.0.0.1:6379/2' }, ''],
    ['a login without a user', {}, 'Cannot reach redis://:hush-hush@127.0.0.1'],
    ['a bearer', {}, 'sent Authorization: Bearer hush-hush'],
    ['basic', {}, 'sent Basic aHVzaC1odXNo'],
    ['a provider key', {}, 'refused sk-ant-hush-hush-hush-hush'],
    ['an error', { err: new Error('redis://:hush-hush@h failed') }, ''],
  ])('takes %s out', (_, fields, message) => {
    const { log, lines } = captured()
    log.child(fields).info(fields, message)

    const line = lines()[0]!
    expect(line).not.toMatch(/hush-hush|aHVzaC1odXNo/)
    expect(line).toContain('[secret]')
    expect(() => JSON.parse(line)).not.toThrow()
  })

  test('takes the secrets it knows out wherever they stand, whole', () => {
    const { log, lines } = captured({ secrets: ['open sesame', 'open sesame "2"', 'abc'] })
    log.info({ prompt: 'say open sesame "2" and open sesame' }, 'abc stays: too short')

    expect(JSON.parse(lines()[0]!)).toMatchObject({
      prompt: 'say [secret] and [secret]',
      msg: 'abc stays: too short',
    })
  })

  test('leaves what is no secret', () => {
    const { log, lines } = captured()
    const fields = { inputTokens: 12, key: 'ci', url: 'http://127.0.0.1:4400/v1', mail: 'a@b.c', token: 5 }
    log.info(fields, 'Basic rules, bearer of news, task-queued')

    expect(JSON.parse(lines()[0]!)).toMatchObject({
      ...fields,
      msg: 'Basic rules, bearer of news, task-queued',
    })
  })

  test('writes lines for people, without what could steer their terminal, masked too', () => {
    const { log, lines } = captured({ format: 'human' })
    log.info({ url: 'http://x', note: 'two words\x9b2J', password: 'hush' }, 'Listening\x1b[2J')
    log.error({ err: new Error('broken') }, 'Failed')

    const [first, second] = lines().map((line) => line.replace(/\x1b\[\d+m/g, ''))
    expect(first).toMatch(
      /^\d\d:\d\d:\d\d info {2}Listening�\[2J url=http:\/\/x note="two words�2J" password=\[secret\]\n$/,
    )
    expect(second).toMatch(/error Failed\nError: broken\n {4}at /)
  })
})

function captured(options: Partial<LoggerOptions> = {}) {
  const lines: string[] = []
  const write = (line: string) => void lines.push(line)
  return { log: createLogger({ level: 'debug', format: 'json', write, ...options }), lines: () => lines }
}
