/** Sessions, and what the server tells beside turns. */
import { isAbsolute } from 'node:path'
import { expect, test } from 'vitest'
import type { Stage } from '../backend-conformance.ts'
import { NEVER, newSession, newTaskID, newTurn, next, run, turnOf } from '../test-turns.ts'

export function conformSessions(stage: Stage): void {
  test('openSession() finds the session of a task again, and no other', async () => {
    const taskID = newTaskID()
    const sessionID = await newSession(stage.backend, { taskID })

    expect(await newSession(stage.other, { taskID, mayExist: true })).toBe(sessionID)
    expect(await newSession(stage.backend, { taskID: `${taskID}0`, mayExist: true })).not.toBe(sessionID)
    expect(await newSession(stage.backend, { taskID: taskID.slice(0, -1), mayExist: true })).not.toBe(
      sessionID,
    )
  })

  test('openSession() takes the oldest of several', async () => {
    const taskID = newTaskID()
    const first = await newSession(stage.backend, { taskID })
    const second = await newSession(stage.backend, { taskID })

    expect(second).not.toBe(first)
    expect(await newSession(stage.backend, { taskID, mayExist: true })).toBe(first)
  })

  test('openedSince() names the sessions of tasks, and removeEmpty() those that were never asked', async () => {
    const before = Date.now()
    const [empty, asked] = [newTaskID(), newTaskID()]
    const [emptyID, askedID] = [
      await newSession(stage.backend, { taskID: empty }),
      await newSession(stage.backend, { taskID: asked }),
    ]
    await run(stage.backend, turnOf(askedID, 'Hello'))

    const opened = await stage.other.openedSince(before)
    const idOf = (taskID: string) => opened.find((session) => session.taskID === taskID)?.sessionID
    expect([idOf(empty), idOf(asked)]).toEqual([emptyID, askedID])
    expect(opened.every(({ createdAt }) => createdAt >= before)).toBe(true)
    for (const session of opened.filter(({ taskID }) => [empty, asked].includes(taskID)))
      expect(await stage.other.removeEmpty(session)).toBe(session.taskID === empty)

    expect(await stage.backend.findSession(emptyID)).toBeUndefined()
    expect(await stage.backend.findSession(askedID)).toBeDefined()
    expect(await stage.backend.removeEmpty({ sessionID: emptyID, directory: undefined })).toBe(true)
  })

  test('findSession() tells where a session is, and knows no other', async () => {
    const taskID = newTaskID()
    const sessionID = await newSession(stage.backend, { taskID })

    expect(await stage.other.findSession(sessionID)).toMatchObject({
      sessionID,
      parentID: undefined,
      metadata: { tierline: { taskID } },
    })
    expect(await stage.other.findSession('ses_0000000000000000000000none')).toBeUndefined()
  })

  test('answerTo() gives the last answer to a message as the server has it, or nothing', async () => {
    const { turn } = await newTurn(stage, '@say: The first', { model: 'globex/fast' })
    const second = next(turn, '@say: The second', { model: 'acme/big' })
    await run(stage.backend, turn)
    await run(stage.backend, second)
    const answer = (messageID: string) => stage.other.answerTo(turn, messageID, NEVER)

    expect(await answer(turn.messageID)).toMatchObject({
      info: {
        role: 'assistant',
        parentID: turn.messageID,
        providerID: 'globex',
        modelID: 'fast',
        finish: 'stop',
      },
      parts: expect.arrayContaining([expect.objectContaining({ type: 'text', text: 'The first' })]),
    })
    expect(await answer(second.messageID)).toMatchObject({ info: { modelID: 'big' } })
    expect(await answer('msg_none')).toBeUndefined()
    expect(
      await stage.other.answerTo(
        { ...turn, sessionID: 'ses_0000000000000000000000none' },
        turn.messageID,
        NEVER,
      ),
    ).toBeUndefined()
  })

  test('ownDirectory() is where the server works when nobody names a directory', async () => {
    const own = await stage.backend.ownDirectory()

    expect(isAbsolute(own)).toBe(true)
    expect(await stage.other.ownDirectory()).toBe(own)
    const { directory = own } = (await stage.backend.findSession(await newSession(stage.backend)))!
    expect(directory).toBe(own)
  })

  test('forward() asks the server in its own words', async () => {
    const taskID = newTaskID()
    const sessionID = await newSession(stage.backend, { taskID })

    const found = await stage.other.forward({ method: 'GET', path: `/session/${sessionID}` }, NEVER)
    expect([found.status, found.isJson]).toEqual([200, true])
    expect(await found.json()).toMatchObject({ id: sessionID })
    const changed = await stage.other.forward(
      {
        method: 'PATCH',
        path: `/session/${sessionID}`,
        body: JSON.stringify({ metadata: { mine: 'Größe' } }),
      },
      NEVER,
    )
    expect(await changed.json()).toMatchObject({ metadata: { mine: 'Größe' } })
    const none = await stage.other.forward({ method: 'GET', path: '/session/ses_none' }, NEVER)
    expect([none.status, await none.json()]).toEqual([
      404,
      expect.objectContaining({ name: 'NotFoundError' }),
    ])
  })

  test.each([
    [{ directory: undefined }, expect.objectContaining({ type: 'server.connected' })],
    ['all' as const, { payload: expect.objectContaining({ type: 'server.connected' }) }],
  ])('events(%j) begins at once, and ends with its signal', async (from, first) => {
    const abort = new AbortController()
    const events: object[] = []
    await expect(
      (async () => {
        for await (const event of stage.backend.events(from, abort.signal)) {
          events.push(event)
          abort.abort()
        }
      })().catch(() => 'ended'),
    ).resolves.toSatisfy((end) => end === undefined || end === 'ended')
    expect(events[0]).toEqual(first)
  })

  test('catalog() lists models with integer prices, and agents', async () => {
    const { models, agents, defaultModel } = await stage.backend.catalog(undefined)
    const byID = new Map(models.map((model) => [model.model, model]))

    expect(byID.get('acme/nano')).toMatchObject({
      providerID: 'acme',
      modelID: 'nano',
      tools: true,
      active: true,
      contextTokens: 128_000,
      outputTokens: 16_000,
      price: {
        inputMicroUsdPerMTok: 100_000,
        outputMicroUsdPerMTok: 400_000,
        cacheReadMicroUsdPerMTok: 10_000,
        cacheWriteMicroUsdPerMTok: 125_000,
      },
    })
    expect(byID.get('globex/unpriced')?.price).toBeNull()
    expect(byID.get('globex/mute')?.tools).toBe(false)
    expect(defaultModel).toBe('acme/base')
    expect(agents).toEqual(expect.arrayContaining(['build', 'plan']))
    expect(JSON.stringify(models)).not.toContain('key-of')
  })

  test('check() resolves while the server answers', async () => {
    await stage.backend.check()
  })
}
