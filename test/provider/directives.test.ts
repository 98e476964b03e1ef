import { describe, expect, test } from 'vitest'
import { parseScript, type ScriptStep } from './directives.ts'

describe('parseScript()', () => {
  test('says the fallback to a prompt without directives', () => {
    expect(parseScript('please lint me@drop.example', 'Done.').steps).toEqual([
      { actions: [{ do: 'say', text: 'Done.' }], chunkMs: 0, chunkUnits: 0 },
    ])
  })

  test('acts in the order written', () => {
    expect(only('do it @reasoning:1 @say: one two @hold:a @words:2 @delay:5 @drop:1').actions).toEqual([
      { do: 'think', text: 'the1' },
      { do: 'say', text: 'one two' },
      { do: 'hold', name: 'a' },
      { do: 'say', text: ' the1 quick2' },
      { do: 'wait', ms: 5 },
      { do: 'drop', first: 1 },
    ])
  })

  test('ends a step with each tool line, and numbers words through all of them', () => {
    const { steps } = parseScript('@words:2\n@tool bash {"command":"ls"}\n@words:1', 'x')
    expect(steps.map(({ call }) => call)).toEqual([{ tool: 'bash', input: { command: 'ls' } }, undefined])
    expect(steps[1]?.actions).toEqual([{ do: 'say', text: 'brown3' }])
  })

  test('refuses some requests, or all', () => {
    expect(only('@status:429,2 @ra:1').refuse).toEqual({ status: 429, first: 2, retryAfterS: 1 })
    expect(only('@status:401').refuse).toEqual({ status: 401, first: Number.POSITIVE_INFINITY })
    expect(only('@overflow:1').refuse).toEqual({ status: 400, first: 1, overflow: true })
  })

  test('reads numbers up to the next blank, whatever is said after it', () => {
    expect(only('@status:400 please').refuse).toEqual({ status: 400, first: Number.POSITIVE_INFINITY })
    expect(only('@status:400\tplease').refuse).toMatchObject({ status: 400 })
    expect(only('@drop:1 please').actions).toMatchObject([{ do: 'drop', first: 1 }, { do: 'say' }])
    expect(only('@usage:10,2,3 please').usage).toEqual({ promptTokens: 10, outputTokens: 2, cachedTokens: 3 })
  })

  test('reads the rest', () => {
    expect(only('@usage:10,2,3 @chunk:7 @units:1 @finish:length @nofinish:2 @hang')).toMatchObject({
      usage: { promptTokens: 10, outputTokens: 2, cachedTokens: 3 },
      chunkMs: 7,
      chunkUnits: 1,
      finish: 'length',
      noFinish: { first: 2 },
      hang: { first: Number.POSITIVE_INFINITY },
    })
  })

  test('writes a new line', () => {
    expect(only('@say: a\\nb').actions).toEqual([{ do: 'say', text: 'a\nb' }])
  })
})

function only(prompt: string): ScriptStep {
  const { steps } = parseScript(prompt, 'fallback')
  expect(steps).toHaveLength(1)
  return steps[0]!
}
