import { expect, test } from 'vitest'
import { interruptible } from '../../src/cli/interruptible.ts'

test('interruptible() leaves its listener where others would end the process without it', async () => {
  const before = process.listenerCount('SIGINT')
  const seen: number[] = []
  // As the package does that shows the cursor again at the end.
  const other = () => void seen.push(process.listenerCount('SIGINT'))

  const result = await interruptible(async (signal) => {
    process.on('SIGINT', other)
    process.emit('SIGINT')
    process.off('SIGINT', other)
    return signal.aborted
  })

  expect(result).toBe(true)
  expect(seen).toEqual([before + 2])
  expect(process.listenerCount('SIGINT')).toBe(before)
})
