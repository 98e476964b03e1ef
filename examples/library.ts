/**
 * The library: queue a task, print its answer while it comes, then what it cost.
 *
 *     npm run example examples/library.ts "Explain this repository in three sentences"
 *
 * Redis and OpenCode are those of a running `tierline up` in this directory, or of REDIS_URL and OPENCODE_URL.
 */
import { createTierline, isTierlineError } from 'tierline'

const [prompt = 'Explain this repository in three sentences.', type] = process.argv.slice(2)

const tierline = await createTierline()
try {
  const task = await tierline.enqueue({
    prompt,
    ...(type && { type }),
    metadata: { from: 'examples/library' },
  })
  console.error(`${task.id} is queued`)

  // Leave the loop whenever you like: the task goes on, and tierline.task(id) gives a new handle.
  for await (const text of task.text()) process.stdout.write(text)

  // How it ended. A task that failed is an outcome, not an exception.
  const { state, error } = await task.result()
  const { tier, model, costMicroUsd } = await task.task()
  console.error(`\n${state} on ${tier ?? 'no tier'}, ${model}: ${costMicroUsd / 1_000_000} USD`)
  if (error) console.error(`${error.code}: ${error.message}`)
  process.exitCode = state === 'succeeded' ? 0 : 1
} catch (error) {
  // What is wrong with the task, field by field, with the nearest names that would be right.
  if (!isTierlineError(error)) throw error
  console.error(`${error.code}: ${error.message}`)
  process.exitCode = 2
} finally {
  await tierline.close()
}
