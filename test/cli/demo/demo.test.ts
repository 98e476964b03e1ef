import { PassThrough } from 'node:stream'
import picocolors from 'picocolors'
import { describe, expect, test } from 'vitest'
import { type DemoResult, renderResults, renderTotal } from '../../../src/cli/demo/result-table.ts'
import { createTerminal } from '../../../src/cli/terminal.ts'
import { renderRows, type TaskRow } from '../../../src/cli/watch/render-rows.ts'
import { applyItem, createTaskView } from '../../../src/cli/watch/task-view.ts'
import { createTasksView } from '../../../src/cli/watch/tasks-view.ts'
import type { StreamItem } from '../../../src/tasks/event.ts'
import { outcomeOf } from '../../../src/tasks/task.ts'
import { createMemoryTask } from '../../doubles/memory-task.ts'

describe('renderRows()', () => {
  test('has a row for each task and a summary', () => {
    expect(draw([row('lint one'), row('lint two', 'Hello there')], 90).split('\n')).toEqual([
      'TASK      TYPE  TIER  MODEL      STATE    TOKENS  COST   TIME',
      'lint one  lint  fast  acme/nano  waiting       0    $0      -',
      'lint two  lint  fast  acme/nano  running      ~3    $0  1.0 s  Hello there',
      '',
      '0 of 2 done   1 running   ~3 tokens   $0   2.0 s',
    ])
  })

  test.each([60, 80, 100, 200])('is no wider than %i columns', (columns) => {
    const rows = [row('a task with quite a long label', 'and a text\nof several lines '.repeat(50))]

    for (const line of draw(rows, columns).split('\n')) expect(line.length).toBeLessThanOrEqual(columns)
  })

  test('gives up the label before anything else', () => {
    expect(draw([row('a task with quite a long label', 'Hello there')], 70)).toMatch(
      /^a task w.*… {2}lint {2}fast {2}acme\/nano {2}running {6}~3 {4}\$0 {2}1\.0 s$/m,
    )
  })
})

describe('renderResults()', () => {
  test('shows what was asked and what the provider saw', () => {
    const models = ['acme/base', 'acme/big', 'acme/base']
    const table = renderResults([
      result({ modelsAsked: ['acme/nano', 'acme/nano'], modelsSeen: ['acme/nano', 'acme/nano'] }),
      result({ label: 'override', modelsAsked: models, modelsSeen: models, ok: false }),
    ])

    expect(table).toMatch(
      /│ ✓ │ lint one +│ lint │ fast │ acme\/nano +│ acme\/nano +│ +1,234 │ +\$0.0123 │ 1\.2 s │/,
    )
    expect(table).toMatch(/│ ✗ │ override +│.*acme\/base +│ acme\/base.*\n│.*acme\/big +│ acme\/big/)
  })

  test('fits a terminal of 80 columns, and still says what differs', () => {
    const models = ['acme/nano', 'acme/big', 'acme/nano']
    const table = renderResults(
      [
        result({ label: 'three-messages', modelsAsked: models, modelsSeen: models }),
        result({ label: 'analysis-slow', type: 'translate', tier: 'balanced', costMicroUsd: 249 }),
        result({ label: 'wrong', modelsSeen: ['acme/big'], ok: false }),
      ],
      80,
    )

    for (const line of table.split('\n')) expect(line.length).toBeLessThanOrEqual(80)
    expect(table).toMatch(
      /✓ +analysis\S* +translate +balanced +acme\/nano +same +1,234 +\$0.000249 +1\.2 s\n/,
    )
    expect(table).toMatch(/✓ +three-m\S* .* acme\/nano +same .*\n +acme\/big +same\n +acme\/nano +same\n/)
    expect(table).toMatch(/✗ +wrong .* acme\/nano +acme\/big /)
  })

  test('compares the total with everything on the dearest model', () => {
    const dearest = { model: 'acme/big', costMicroUsd: 150_000 }

    expect(renderTotal([result()], { tokens: 1234, costMicroUsd: 12_000, dearest })).toBe(
      '1 task, 1,234 tokens, $0.0120. All on acme/big: $0.1500, so 92 % are saved.',
    )
  })
})

describe('createTasksView()', () => {
  test('writes a line for each start and end where nobody looks', () => {
    const stderr = new PassThrough({ encoding: 'utf8' })
    const stdout = new PassThrough()
    const view = createTasksView(createTerminal({ stdout, stderr, dumb: false, command: 'tierline' }))
    const task = createMemoryTask({ type: 'lint', prompt: 'a' })
    view.add('lint one', task)
    view.show(task.id, event({ type: 'attempt-started', at: 1000 }))
    view.show(task.id, event({ type: 'text-delta', messageID: 'm', partID: 'p', offset: 0, text: 'a' }))
    view.show(task.id, event({ type: 'task-finished', at: 2000, state: 'succeeded' }))
    view.show(task.id, { type: 'end', state: 'succeeded' })
    view.finish({ ...outcomeOf(task), state: 'succeeded', costMicroUsd: 5 })
    view.close()

    expect(stderr.read()).toBe(
      [
        'lint one  running  fast → acme/nano',
        'lint one  succeeded  fast → acme/nano  0 tokens  $0.000005  1.0 s',
        '',
      ].join('\n'),
    )
    expect(stdout.read()).toBeNull()
  })

  test('draws in a terminal', () => {
    const stdout = Object.assign(new PassThrough({ encoding: 'utf8' }), {
      isTTY: true,
      columns: 90,
      rows: 24,
    })
    const view = createTasksView(
      createTerminal({ stdout, stderr: new PassThrough(), dumb: false, command: 'tierline' }),
    )
    view.add('lint one', createMemoryTask({ type: 'lint', prompt: 'a' }))
    view.close()

    expect(stdout.read()).toContain('lint one  lint  fast  acme/nano')
  })
})

function draw(rows: readonly TaskRow[], columns: number): string {
  return renderRows(rows, { columns, now: 3000, startedAt: 1000, colors: picocolors.createColors(false) })
}

function row(label: string, text?: string): TaskRow {
  const view = createTaskView(createMemoryTask({ type: 'lint', prompt: 'a' }))
  if (text !== undefined) {
    applyItem(view, event({ type: 'attempt-started', at: 2000 }))
    applyItem(view, event({ type: 'text-delta', messageID: 'm', partID: 'p', offset: 0, text }))
  }
  return { label, view }
}

function event(fields: { type: string } & Record<string, unknown>): StreamItem {
  return { seq: 1, at: 0, attempt: 1, ...fields } as unknown as StreamItem
}

function result(overrides: Partial<DemoResult> = {}): DemoResult {
  return {
    label: 'lint one',
    type: 'lint',
    tier: 'fast',
    modelsAsked: ['acme/nano'],
    modelsSeen: ['acme/nano'],
    tokens: 1234,
    costMicroUsd: 12_345,
    timeMs: 1234,
    ok: true,
    ...overrides,
  }
}
