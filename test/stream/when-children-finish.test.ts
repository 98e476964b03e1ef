import { expect, test } from 'vitest'
import { TierlineError } from '../../src/errors.ts'
import { whenChildrenFinish } from '../../src/stream/when-children-finish.ts'
import type { Task } from '../../src/tasks/task.ts'

test('a child that ends and is deleted while another is waited for is not missed', async () => {
  const child = (id: string, state: Task['state']) => ({ id, state }) as Task
  const pages = [[child('b', 'running'), child('a', 'running')], [child('a', 'succeeded')]]
  const waited: string[] = []

  const children = await whenChildrenFinish({
    list: async () => ({ data: pages.shift()!, nextCursor: null }),
    async wait(id) {
      waited.push(id)
      if (id === 'b') throw new TierlineError('task_not_found', 'Cannot find task "b"')
    },
  })

  expect(waited.sort()).toEqual(['a', 'b'])
  expect(children.map(({ id }) => id)).toEqual(['a'])
})
