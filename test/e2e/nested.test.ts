/** Agents that submit tasks below their own, in a tier that runs one task at a time, while their worker is killed. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createClient } from '../../src/client/index.ts'
import { processesOf } from '../setup/processes.ts'
import { startUp } from '../setup/tierline-up.ts'

const system = startUp('tiers:\n  fast: { models: [acme/nano], concurrency: 1 }\ndefault: fast\n')

test('a parent and two levels of children finish at tier concurrency 1, a kill -9 of the worker in between', {
  timeout: 300_000,
}, async () => {
  const client = createClient({ url: system.up.ready.url })
  const grandchild = { prompt: '#task-third @say: three @hold:here @say: more' }
  const child = { prompt: `${shell('grandchild.sh')}\n#task-second @say: two` }
  script('grandchild.sh', grandchild)
  script('child.sh', child)

  const parent = await client.enqueue({ prompt: `${shell('child.sh')}\n#task-first @say: one` })
  await system.home.provider.held('here')
  const workers = processesOf(system.home.dir).filter(({ command }) => /workers\/tasks\.ts/.test(command))
  expect(workers).toHaveLength(1)
  for (const { pid } of workers) process.kill(pid, 'SIGKILL')
  await expect.poll(async () => (await parent.task()).attempt, { timeout: 120_000 }).toBe(2)
  system.home.provider.release('here')

  const { state, result } = await parent.result()
  expect([state, result?.text]).toEqual(['succeeded', 'one'])
  const [second] = await parent.children()
  const [third] = await client.task(second!.id).children()
  expect([second, third]).toMatchObject([
    { state: 'succeeded', queue: 'nested', tier: 'fast', attempt: 2 },
    { state: 'succeeded', queue: 'nested', tier: 'fast', attempt: 2 },
  ])
  // One for the call and one for the answer; the last of them calls nothing.
  const paid = (marker: string) => system.home.provider.ledger.paid({ marker }).length
  expect(['task-first', 'task-second', 'task-third'].map(paid)).toEqual([2, 2, 1])
})

/** A line of a prompt: the agent runs this script of its project, which knows the task by its argument. */
function shell(name: string): string {
  const command = `sh ${join(system.home.dir, 'project', name)} {{tierline.taskID}}`
  return `@tool bash ${JSON.stringify({ command, description: name, timeout: 240_000 })}`
}

/** Submits the task below the one that runs it, and waits for its result. */
function script(name: string, input: object): void {
  const path = join(system.home.dir, 'project', name)
  writeFileSync(`${path}.json`, JSON.stringify({ ...input, parentTaskID: 'PARENT' }))
  writeFileSync(
    path,
    `path=$(sed "s/PARENT/$1/" ${path}.json | curl -sS -i -H 'content-type: application/json' -d @- ${system.up.ready.url}/v1/tasks | tr -d '\\r' | sed -n 's/^location: //p')
while [ "$(curl -sS -o ${path}.out -w '%{http_code}' "${system.up.ready.url}$path/result?waitMs=60000")" = 202 ]; do :; done
cat ${path}.out`,
  )
}
