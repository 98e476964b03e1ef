/** Holds docs/api.md to the code, both ways. */
import { readFileSync } from 'node:fs'
import { createParser } from 'eventsource-parser'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { z } from 'zod'
import { ERRORS } from '../../src/errors.ts'
import { AskList } from '../../src/tasks/ask.ts'
import { BudgetList } from '../../src/tasks/budget-view.ts'
import { Costs, CostsQuery } from '../../src/tasks/costs.ts'
import { EVENT_FIELDS, TaskEventSchema } from '../../src/tasks/event.ts'
import { MessageInput, TaskInput } from '../../src/tasks/input.ts'
import { ListQuery, TaskPage } from '../../src/tasks/list-query.ts'
import { Problem } from '../../src/tasks/problem.ts'
import { ComparisonRow, Task, TaskOutcome } from '../../src/tasks/task.ts'
import {
  Explanation,
  ModelList,
  Readiness,
  RoutesView,
  TierView,
  VersionView,
} from '../../src/tasks/views.ts'
import { closeAll, send, startHttp } from '../http/start-http.ts'

const DOC = readFileSync(new URL('../../docs/api.md', import.meta.url), 'utf8')

/** What an example may say it is: ` ```json Task `. */
const EXAMPLES: Record<string, z.ZodType> = {
  Task,
  TaskPage,
  TaskOutcome,
  ComparisonRow,
  ModelList,
  BudgetList,
  RoutesView,
  Explanation,
  TierView,
  Readiness,
  VersionView,
  Problem,
  AskList,
  Costs,
}
const OF_BODIES = ['malformed_json', 'too_large', 'unsupported_media_type']

type Operation = { requestBody?: object; responses: Record<string, { description: string }> }

let operations: Map<string, Operation>

beforeAll(async () => {
  const { url } = await startHttp()
  const spec = (await send(`${url}/openapi.json`)).json() as {
    paths: Record<string, Record<string, Operation>>
  }
  operations = new Map(
    Object.entries(spec.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(
        ([method, operation]) => [`${method.toUpperCase()} ${path}`, operation] as const,
      ),
    ),
  )
})
afterAll(closeAll)

describe('endpoints', () => {
  test('are those of OpenAPI', () => {
    expect(
      endpoints()
        .map(({ name }) => name)
        .sort(),
    ).toEqual([...operations.keys()].sort())
  })

  test('have the errors of OpenAPI', () => {
    for (const { name, text } of endpoints()) {
      const { requestBody, responses } = operations.get(name)!
      const inCode = Object.entries(responses)
        .filter(([status]) => status !== 'default')
        .flatMap(([, { description }]) => codesIn(description))
        .filter((code) => code in ERRORS)
      const inDoc = codesIn(/^Errors: (.*)$/m.exec(text)?.[1] ?? '')

      expect([name, [...inDoc, ...(requestBody ? OF_BODIES : [])].sort()]).toEqual([name, inCode.sort()])
    }
  })

  test('have an example with the path, where they are of the API', () => {
    for (const { name, text } of endpoints()) {
      const [method, path] = name.split(' ') as [string, string]
      if (!path.startsWith('/v1') || path === '/v1/version') continue
      const example = new RegExp(path.replace(/\{\w+\}/g, '[a-z0-9_]+').replaceAll('/', '\\/'))
      expect([name, /```sh\n([\s\S]*?)```/.exec(text)?.[1]]).toEqual([name, expect.stringMatching(example)])
      if (method === 'DELETE') expect(text).toContain('-X DELETE')
    }
  })
})

describe('tables', () => {
  test.each<[string, string, readonly string[]]>([
    ['Task input', 'field', Object.keys(TaskInput.shape)],
    ['POST /v1/compare', 'field of a comparison', ['models', 'tiers', 'verify', 'output']],
    ['Task input', 'field of a message', Object.keys(MessageInput.shape)],
    ['Task', 'field', Object.keys(Task.shape)],
    ['Events', 'event', Object.keys(EVENT_FIELDS)],
    ['GET /v1/costs', 'parameter', Object.keys(CostsQuery.shape)],
    [
      'GET /v1/tasks',
      'parameter',
      Object.keys(ListQuery.shape).map((key) => (key === 'metadata' ? 'metadata.KEY' : key)),
    ],
  ])('%s: every %s, and no other', (title, column, names) => {
    expect(
      rows(title, column)
        .map(([first]) => codesIn(first!)[0])
        .sort(),
    ).toEqual([...names].sort())
  })

  test('events have the fields of the code', () => {
    for (const [event, fields] of rows('Events', 'event')) {
      const type = codesIn(event!)[0] as keyof typeof EVENT_FIELDS
      expect([type, codesIn(fields!).sort()]).toEqual([type, Object.keys(EVENT_FIELDS[type]).sort()])
    }
  })
})

describe('examples', () => {
  test.each(Object.keys(EXAMPLES))('%s is one', (name) => {
    const found = [...DOC.matchAll(new RegExp(`\`\`\`json ${name}\\n([\\s\\S]*?)\`\`\``, 'g'))]

    expect(found.length).toBeGreaterThan(0)
    for (const [, json] of found) {
      const value = JSON.parse(json!) as object
      // Equal to what the schema makes of it: nothing in it that the schema does not know.
      expect(EXAMPLES[name]!.parse(value)).toEqual(value)
    }
  })

  test('no example claims to be something else', () => {
    const claimed = [...DOC.matchAll(/```json (\w+)/g)].map(([, name]) => name!)

    expect(claimed.filter((name) => !(name in EXAMPLES))).toEqual([])
  })

  test('the event stream is one', () => {
    const events: [string | undefined, string | undefined, unknown][] = []
    createParser({ onEvent: ({ id, event, data }) => events.push([id, event, JSON.parse(data)]) }).feed(
      `${/```text\n([\s\S]*?)```/.exec(DOC)![1]}\n`,
    )

    expect(events.at(-1)).toEqual([undefined, 'end', { state: 'succeeded' }])
    for (const [id, type, event] of events.slice(0, -1)) {
      expect(TaskEventSchema.parse(event)).toEqual(event)
      expect(event).toMatchObject({ seq: Number(id), type })
    }
  })

  test('every code named in the text exists', () => {
    const words = codesIn(DOC).filter((word) => /^[a-z]+(_[a-z]+)+$/.test(word))

    expect(words.filter((word) => !(word in ERRORS))).toEqual([])
  })
})

/** `### GET /v1/tasks` and the text below it. */
function endpoints(): { name: string; text: string }[] {
  return [...DOC.matchAll(/^### ([A-Z]+ \/\S*)\n([\s\S]*?)(?=^##)/gm)].map(([, name, text]) => ({
    name: name!,
    text: text!,
  }))
}

/** Rows of the table under a heading whose first column has this title, cell by cell. */
function rows(heading: string, column: string): string[][] {
  const section = new RegExp(`^##+ ${heading}\\n([\\s\\S]*?)(?=^##)`, 'm').exec(DOC)![1]!
  const table = new RegExp(`^\\| ${column} \\|.*\\n\\| ---.*\\n((?:\\|.*\\n)*)`, 'm').exec(section)![1]!
  return table
    .trim()
    .split('\n')
    .map((row) => row.split('|').slice(1, -1))
}

/** What stands in backticks. */
function codesIn(text: string): string[] {
  return [...text.matchAll(/`([^`\n]+)`/g)].map(([, code]) => code!)
}
