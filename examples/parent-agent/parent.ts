/**
 * An agent that hands out work: it runs as a task and submits others below it, with nothing but its shell.
 *
 *     npm run example examples/parent-agent/parent.ts /path/of/a/project
 *
 * The prompt tells the agent its own id, so that its children name it as their parent. They wait in no tier, so
 * this ends even where the tier runs one task at a time; cancelling the parent cancels them.
 * Needs a tierline at TIERLINE_URL. What follows the directory is told to the agent as well.
 */
import { join, resolve } from 'node:path'
import { createClient } from 'tierline/client'

const [directory = '.', ...more] = process.argv.slice(2)
const url = process.env.TIERLINE_URL ?? 'http://127.0.0.1:4400'
const tierline = createClient({ url })

const here = import.meta.dirname
const environment = `TIERLINE_URL=${url} TIERLINE_TASK_ID={{tierline.taskID}}`
const prompt = `Two helpers are to look at this project. Run both commands with your shell, one after the other:

${environment} sh ${join(here, 'by-curl.sh')} "Name the riskiest file of this project, and why. Change nothing."
${environment} ${process.execPath} ${join(here, 'by-library.ts')}

Each prints what helpers answered. Then say in five sentences what should be done first.

${more.join('\n')}`

const parent = await tierline.enqueue({ directory: resolve(directory), title: 'parent agent', prompt })
console.error(`${parent.id} is queued`)

for await (const text of parent.text()) process.stdout.write(text)
process.stdout.write('\n')

const { state } = await parent.result()
const children = await parent.children()
console.table(children.map(({ id, state, type, model, queue }) => ({ id, state, type, model, queue })))
process.exitCode = [{ state }, ...children].every((task) => task.state === 'succeeded') ? 0 : 1
