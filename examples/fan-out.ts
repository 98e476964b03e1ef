/**
 * Fan out and gather, over HTTP: a cheap task for each part of a project, then a dear one that reads all answers.
 *
 *     npm run example examples/fan-out.ts /path/of/a/project
 *
 * Needs a tierline at TIERLINE_URL whose table has routes for `lint`, `review` and `analysis`; the built-in one has.
 */
import { resolve } from 'node:path'
import { createClient, type TaskInput, type TaskOutcome } from 'tierline/client'

/** Which type of task is to look for what. The routing table decides on which model. */
const QUESTIONS = {
  lint: [
    'dead code',
    'unused dependencies',
    'wrong comments',
    'typing errors',
    'long functions',
    'magic numbers',
  ],
  review: ['missing tests', 'swallowed errors', 'unclear names', 'race conditions', 'leaks', 'unsafe input'],
}

const directory = resolve(process.argv[2] ?? '.')
const tierline = createClient({ url: process.env.TIERLINE_URL ?? 'http://127.0.0.1:4400' })

const inputs = Object.entries(QUESTIONS).flatMap(([type, subjects]) =>
  subjects.map((subject): TaskInput => {
    const prompt = `Look for ${subject} in this project. Change nothing. Name the three worst places, a line each.`
    return { type, directory, title: subject, prompt, metadata: { fanOut: subject } }
  }),
)

// All in one request. A refused one keeps no other out; here each must get in.
const handles = (await tierline.enqueueMany(inputs)).map((result) => {
  if (result.status === 'refused') throw result.error
  return result.handle
})
console.error(`${handles.length} tasks are queued`)

const outcomes = await Promise.all(
  handles.map(async (handle, index) => {
    const outcome = await handle.result()
    console.error(`${outcome.state}  ${inputs[index]!.title}`)
    return outcome
  }),
)

const findings = outcomes.map(
  ({ result }, index) => `## ${inputs[index]!.title}\n${result?.text ?? 'no answer'}`,
)
const summary = await tierline.enqueue({
  type: 'analysis',
  directory,
  prompt: `Twelve reviewers looked at this project. What should be done first, and why?\n\n${findings.join('\n\n')}`,
})
for await (const text of summary.text()) process.stdout.write(text)
process.stdout.write('\n\n')

const all = [...outcomes, await summary.result()]
console.table(await costByModel(all))
process.exitCode = all.every(({ state }) => state === 'succeeded') ? 0 : 1

async function costByModel(outcomes: readonly TaskOutcome[]): Promise<Record<string, object>> {
  const tasks = await Promise.all(outcomes.map(({ id }) => tierline.get(id)))
  return Object.fromEntries(
    [...Map.groupBy(tasks, ({ model }) => model)].map(([model, group]) => {
      const microUsd = group.reduce((sum, { costMicroUsd }) => sum + costMicroUsd, 0)
      return [model, { tasks: group.length, USD: (microUsd / 1_000_000).toFixed(6) }]
    }),
  )
}
