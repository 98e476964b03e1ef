import { expect, test } from 'vitest'
import { followComparison } from '../../../src/cli/compare/follow-comparison.ts'
import type { TierlineClient } from '../../../src/client/create-client.ts'
import { TierlineError } from '../../../src/errors.ts'
import type { StreamItem } from '../../../src/tasks/event.ts'
import type { TaskHandle } from '../../../src/tasks/handle.ts'
import { eventually } from '../../setup/eventually.ts'

test('goes on to the end of the comparison when one of its tasks cannot be followed any more', async () => {
  const lost: string[] = []
  const client = {
    list: async () => ({ data: [{ id: 'tsk_gone', model: 'acme/nano' }], nextCursor: null }),
    task: (id: string) => ({
      // biome-ignore lint/correctness/useYield: it fails before there is anything to give
      async *events() {
        lost.push(id)
        throw new TierlineError('task_not_found', 'It was deleted')
      },
    }),
  } as unknown as TierlineClient
  const comparison = {
    id: 'tsk_comparison',
    async *events(): AsyncGenerator<Partial<StreamItem>> {
      yield { type: 'task-parked' }
      await eventually(() => expect(lost).toEqual(['tsk_gone']))
      // Whatever nobody handles is reported in between.
      await new Promise(setImmediate)
      yield { type: 'end', state: 'succeeded' }
    },
  } as unknown as TaskHandle
  const view = { add() {}, show() {}, finish() {}, close() {} }

  expect(await followComparison(client, comparison, view, new AbortController().signal)).toBe(true)
})
