/**
 * Children of the task that runs this, with the client library: two at once on a cheap tier, and waits for both.
 *
 *     TIERLINE_TASK_ID=tsk_… npm run example examples/parent-agent/by-library.ts ["what to look for" …]
 */
import { createClient } from 'tierline/client'

const tierline = createClient({ url: process.env.TIERLINE_URL ?? 'http://127.0.0.1:4400' })
const parentTaskID = process.env.TIERLINE_TASK_ID
if (parentTaskID === undefined) throw new Error('Cannot submit children: TIERLINE_TASK_ID is not set')

const given = process.argv.slice(2)
const subjects = given.length > 0 ? given : ['dead code', 'missing tests']
const handles = await Promise.all(
  subjects.map((subject) =>
    tierline.enqueue({
      type: 'lint',
      parentTaskID,
      title: subject,
      prompt: `Look for ${subject} in this project. Change nothing. Name the worst place in one sentence.`,
    }),
  ),
)

// A child that fails does not fail the others: each has a result of its own.
for (const handle of handles) {
  const { state, result, error } = await handle.result()
  console.log(result?.text ?? `${state}: ${error?.message}`)
}
