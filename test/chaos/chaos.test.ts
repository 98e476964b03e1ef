/** The short form of `npm run chaos`: the same harness, a few tasks, and a plan that is the same each time. */
import { describe, expect, test } from 'vitest'
import { createPlan } from './plan.ts'
import { runChaos } from './verdict.ts'

test('a plan is the same for the same seed, and another for another', () => {
  const plan = (seed: number) => createPlan({ seed, tasks: 50, scale: 0.3 })

  expect(plan(7)).toEqual(plan(7))
  expect(plan(7)).not.toEqual(plan(8))
})

test('the full plan has what docs/reliability.md says', () => {
  const { tasks, faults } = createPlan({ seed: 1, tasks: 1_000, scale: 1 })
  const kills = faults.filter(({ fault }) => fault.do === 'kill' || fault.do === 'kill at')

  expect(kills.length).toBeGreaterThanOrEqual(50)
  expect(new Set(tasks.map(({ kind }) => kind)).size).toBeGreaterThanOrEqual(16)
  expect(faults.every(({ afterTasks }) => afterTasks < tasks.length)).toBe(true)
})

describe('a short run', () => {
  const seed = Number(process.env.CHAOS_SEED ?? 7)

  test(`keeps every promise (CHAOS_SEED=${seed})`, { timeout: 300_000 }, async () => {
    const plan = createPlan({ seed, tasks: 30, scale: 0.1 })

    const { problems } = await runChaos(plan, {})

    expect(problems, `seed ${seed}`).toEqual([])
  })
})
