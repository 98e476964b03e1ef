/** Tasks over a real Redis Cluster of three masters and their replicas: what a failover and a move leave of them. */
import { describe, expect } from 'vitest'
import { clusterTest } from '../setup/cluster-test.ts'
import { run } from '../setup/core-test.ts'
import { eventually } from '../setup/eventually.ts'
import { createSubmitter, expectAllEndOnce, readThroughout, submitAndHold } from './failover-tasks.ts'

const test = clusterTest(1)

describe('tasks in a cluster', () => {
  test('two namespaces on two nodes know nothing of each other', async ({ core, cluster, namespaceOn }) => {
    const [first, second] = cluster.nodes
    const [a, b] = [await namespaceOn(first!), await namespaceOn(second!)]
    const [one, other] = await Promise.all(
      [a, b].map(({ namespace }) => core.startWorking({ redisUrl: cluster.url, namespace })),
    )

    const tasks = await Promise.all([
      run(one!, { prompt: '@say: One' }),
      run(other!, { prompt: '@say: Two' }),
    ])

    expect(tasks).toMatchObject([
      { state: 'succeeded', result: { text: 'One' } },
      { state: 'succeeded', result: { text: 'Two' } },
    ])
    expect((await one!.tasks.list({ limit: 9 })).data).toHaveLength(1)
    expect(await first!.client.exists(a.keys.task(tasks[0]!.id))).toBe(1)
    expect(await second!.client.exists(b.keys.task(tasks[1]!.id))).toBe(1)
    expect((await one!.health.readiness()).checks).toMatchObject({
      redis: { ok: true },
      workers: { detail: '1 worker' },
    })
    expect(await one!.board.queues()[0]!.counts()).toMatchObject({ completed: 1 })
  })

  test('a slot that moves takes its tasks along, and each ends once', async ({
    core,
    cluster,
    namespaceOn,
  }) => {
    const [first, second] = cluster.nodes
    const { namespace, keys } = await namespaceOn(first!)
    const orchestrator = await core.startWorking({ redisUrl: cluster.url, namespace })
    const running = await submitAndHold(orchestrator, core.backend, 4)
    const heard = await readThroughout(orchestrator, running)
    const submitted = createSubmitter(orchestrator)

    await cluster.moveSlot(keys.root, second!, submitted.submit)
    core.backend.holds.release('here')

    await expectAllEndOnce(core, orchestrator, [...running, ...(await submitted.accepted())], heard)
    expect(await cluster.ownerOf(keys.root)).toBe(second)
    expect(await first!.client.exists(keys.tasks).catch(({ message }) => message)).toMatch(/^MOVED/)
  })

  test('a master that is killed is followed by its replica, and each task ends once', async ({
    core,
    cluster,
    namespaceOn,
  }) => {
    const [, , third] = cluster.nodes
    const { namespace, keys } = await namespaceOn(third!)
    const orchestrator = await core.startWorking({ redisUrl: cluster.url, namespace })
    const running = await submitAndHold(orchestrator, core.backend, 4)
    const heard = await readThroughout(orchestrator, running)
    // What the replica does not have yet when its master dies is lost.
    expect(await third!.client.wait(1, 10_000)).toBe(1)

    await third!.kill()
    await expect(orchestrator.tasks.list({ limit: 1 })).rejects.toMatchObject({ code: 'redis_unavailable' })
    core.backend.holds.release('here')
    const later = await eventually(() => orchestrator.tasks.submit({ prompt: '@say: Later' }))

    await expectAllEndOnce(core, orchestrator, [...running, later.id], heard)
    expect(await cluster.ownerOf(keys.root)).not.toBe(third)
    await third!.start()
  })

  test('a master that is frozen is left, though its connections stay open', async ({
    core,
    cluster,
    namespaceOn,
  }) => {
    const [first] = cluster.nodes
    const { namespace } = await namespaceOn(first!)
    const orchestrator = await core.startWorking({ redisUrl: cluster.url, namespace })
    const running = await submitAndHold(orchestrator, core.backend, 2)
    expect(await first!.client.wait(1, 10_000)).toBe(1)

    first!.signal('SIGSTOP')
    core.backend.holds.release('here')
    const later = await eventually(() => orchestrator.tasks.submit({ prompt: '@say: Later' }))

    await expectAllEndOnce(core, orchestrator, [...running, later.id])
    first!.signal('SIGCONT')
  })
})
