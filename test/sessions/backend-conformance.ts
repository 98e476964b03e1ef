/** What every `SessionBackend` does: run by the adapter of a real OpenCode and by the double in memory. */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type {
  AskRef,
  SessionBackend,
  Spending,
  Turn,
  TurnEvent,
  TurnOutcome,
} from '../../src/sessions/backend.ts'
import type { ModelID } from '../../src/tasks/model-id.ts'
import type { PermissionRule } from '../../src/tasks/permissions.ts'
import type { Ledger } from '../provider/ledger.ts'
import { readTurn } from './read-turn.ts'

export interface Stage {
  backend: SessionBackend
  /** Another one on the same server, as another worker has it; the same where there is no such thing. */
  other: SessionBackend
  ledger: Ledger
  /** Of the prompts' `@hold:NAME`. */
  held(name: string, times?: number): Promise<void>
  release(name: string): void
  close(): Promise<void>
}

const NEVER = new AbortController().signal

export function describeConformance(name: string, setUp: () => Promise<Stage>): void {
  describe(name, { timeout: 120_000 }, () => {
    let stage: Stage
    beforeAll(async () => {
      stage = await setUp()
    }, 120_000)
    afterAll(() => stage?.close(), 60_000)

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
      const { turn } = await newTurn('@say: The first', { model: 'globex/fast' })
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

    test('events() begins at once, and ends with its signal', async () => {
      const abort = new AbortController()
      const types: string[] = []
      await expect(
        (async () => {
          for await (const event of stage.backend.events(undefined, abort.signal)) {
            types.push((event as { type: string }).type)
            abort.abort()
          }
        })().catch(() => 'ended'),
      ).resolves.toSatisfy((end) => end === undefined || end === 'ended')
      expect(types[0]).toBe('server.connected')
    })

    test('runTurn() streams the answer of the model that was asked', async () => {
      const { marker, turn } = await newTurn('@say: Hello there, friend', { model: 'globex/fast' })
      const { events, outcome } = await run(stage.backend, turn)

      expect(events.filter(({ type }) => type === 'text').length).toBeGreaterThan(1)
      expect(readTurn(events).texts).toEqual(['Hello there, friend'])
      expect(outcome).toMatchObject({
        status: 'finished',
        finish: 'stop',
        text: 'Hello there, friend',
        model: 'globex/fast',
        steps: 1,
      })
      expect(stage.ledger.entries({ marker })).toMatchObject([{ model: 'globex/fast', streamedToEnd: true }])
    })

    test('runTurn() uses a model for one message only', async () => {
      const { marker, turn } = await newTurn('first')
      await run(stage.backend, turn)
      await run(stage.backend, next(turn, `second #${marker}`, { model: 'acme/big' }))
      await run(stage.backend, next(turn, `third #${marker}`))

      const models = stage.ledger.entries({ marker }).map(({ model }) => model)
      expect(models).toEqual(['acme/mini', 'acme/big', 'acme/mini'])
    })

    test('runTurn() reports the bill of the provider', async () => {
      const prompt =
        '@say: one @usage:1000,10,400\n@tool bash {"command":"true","description":"x"}\n@usage:2000,20,0'
      const { marker, turn } = await newTurn(prompt)
      const { events, outcome } = await run(stage.backend, turn)
      const billed = stage.ledger.entries({ marker }).reduce((sum, { costMicroUsd }) => sum + costMicroUsd, 0)

      const costs = outcome.spendings.map(({ costMicroUsd }) => costMicroUsd)

      expect(events.flatMap((event) => (event.type === 'step' ? [event.steps] : []))).toEqual([1, 2])
      expect(outcome.spendings).toMatchObject([
        { model: turn.model, usage: { inputTokens: 600, outputTokens: 10, cacheReadTokens: 400 } },
        { model: turn.model, usage: { inputTokens: 2_000, outputTokens: 20, cacheReadTokens: 0 } },
      ])
      expect(outcome.spendings.some(({ isEstimated }) => isEstimated)).toBe(false)
      expect(costs.reduce((sum, cost) => sum + cost, 0)).toBe(billed)
      expect(spentIn(events)).toEqual(outcome.spendings)
      expect(await stage.other.spentOn(turn, NEVER)).toEqual(outcome.spendings)
    })

    test('runTurn() tells what a step cost before it tells of the step', async () => {
      const { turn } = await newTurn('@say: one\n@tool bash {"command":"true","description":"x"}\n@say: two')
      const { events } = await run(stage.backend, turn)

      expect(events.filter(({ type }) => type === 'spent' || type === 'step')).toMatchObject([
        { type: 'spent', goesOn: true },
        { type: 'step', goesOn: true, steps: 1 },
        { type: 'spent', goesOn: false },
        { type: 'step', goesOn: false, steps: 2 },
      ])
    })

    test('runTurn() reports what a child was asked, and its steps are none of the turn', async () => {
      const input = { description: 'sub', prompt: '@usage:3000,30,0', subagent_type: 'general' }
      const { turn } = await newTurn(
        `@usage:1000,10,0\n@tool task ${JSON.stringify(input)}\n@usage:2000,20,0`,
      )
      const { events, outcome } = await run(stage.backend, turn)

      expect(outcome.steps).toBe(2)
      expect(outcome.spendings.map(({ usage }) => usage.inputTokens).sort()).toEqual([1_000, 2_000, 3_000])
      expect(new Set(spentIn(events))).toEqual(new Set(outcome.spendings))
      expect(await stage.other.spentOn(turn, NEVER)).toHaveLength(3)
    })

    test('abort() leaves an estimate of what nobody counts', async () => {
      const { hold, turn } = await newTurn('@words:40 @hold:NAME @words:3')
      const running = listen(stage.backend, turn)
      await stage.held(hold)
      await running.heard((events) => textsIn(events) === 40)
      await stage.backend.abort(turn)
      const { spendings } = await running.outcome

      expect(spendings).toMatchObject([{ model: turn.model, costMicroUsd: 0, isEstimated: true }])
      expect(spendings[0]!.usage.inputTokens).toBeGreaterThan(0)
      expect(spendings[0]!.usage.outputTokens).toBeGreaterThan(40)
      expect(await stage.other.spentOn(turn, NEVER)).toEqual(spendings)
    })

    test('runTurn() estimates what a dropped connection had begun, and nothing for a refusal', async () => {
      const dropped = await newTurn('@words:3 @hold:NAME @drop:1')
      const refused = await newTurn('@status:503,1 @say: Done')
      const running = listen(stage.backend, dropped.turn)
      await running.heard((events) => textsIn(events) === 3)
      stage.release(dropped.hold)
      const { spendings } = await running.outcome

      expect(spendings.map(({ isEstimated }) => isEstimated).sort()).toEqual([false, true])
      expect(new Set(spendings.map(({ id }) => id)).size).toBe(2)
      expect((await run(stage.backend, refused.turn)).outcome.spendings).toMatchObject([
        { isEstimated: false },
      ])
    })

    test('spentOn() knows nothing of a turn that was never sent', async () => {
      const { turn } = await newTurn('never')
      expect(await stage.other.spentOn(turn, NEVER)).toEqual([])
      expect(await stage.other.spentOn({ ...turn, sessionID: 'ses_unknown' }, NEVER)).toEqual([])
    })

    test('runTurn() tells tool calls, and the text around them part by part', async () => {
      const call = '@tool bash {"command":"echo hi","description":"says hi"}'
      const { turn } = await newTurn(`@say: Let me look.\n${call}\n@say: It says hi.`)
      const { events, outcome } = await run(stage.backend, turn)
      const called = events.find((event) => event.type === 'tool-called')

      expect(called).toMatchObject({ tool: 'bash', input: { command: 'echo hi', description: 'says hi' } })
      expect(events.filter(({ type }) => type === 'tool-called')).toHaveLength(1)
      expect(events.filter(({ type }) => type === 'tool-finished')).toEqual([
        { type: 'tool-finished', callID: called?.callID, status: 'completed', title: expect.any(String) },
      ])
      expect(readTurn(events).texts).toEqual(['Let me look.', 'It says hi.'])
      expect(outcome).toMatchObject({ status: 'finished', text: 'Let me look.\n\nIt says hi.', steps: 2 })
    })

    test('runTurn() keeps reasoning out of the text', async () => {
      const { turn } = await newTurn('@reasoning:3 @say: Forty-two')
      const { events, outcome } = await run(stage.backend, turn)

      expect(readTurn(events)).toEqual({ texts: ['Forty-two'], reasoning: ['the1 quick2 brown3'] })
      expect(outcome).toMatchObject({ status: 'finished', text: 'Forty-two' })
    })

    test('runTurn() never shows half a character', async () => {
      const text = 'ab😀cd👩‍👩‍👧 é 𝒳'
      const { turn } = await newTurn(`@units:1 @say: ${text}`)
      const { events } = await run(stage.backend, turn)

      expect(readTurn(events).texts).toEqual([text])
      for (const event of events) if (event.type === 'text') expect(event.text.isWellFormed()).toBe(true)
    })

    test('runTurn() takes back what a dropped connection began', async () => {
      const { marker, turn } = await newTurn('@words:4 @delay:100 @drop:1')
      const { events, outcome } = await run(stage.backend, turn)

      expect(events.filter(({ type }) => type === 'provider-retry')).toHaveLength(1)
      expect(readTurn(events).texts).toEqual(['the1 quick2 brown3 fox4'])
      expect(outcome).toMatchObject({ status: 'finished', text: 'the1 quick2 brown3 fox4' })
      expect(stage.ledger.paid({ marker })).toHaveLength(1)
    })

    test('runTurn() joins a running turn: paid once, told the same in the end', async () => {
      const { hold, marker, turn } = await newTurn('@words:3 @hold:NAME @words:3')
      const first = listen(stage.backend, turn)
      await first.heard((events) => textsIn(events) === 3)
      const second = listen(stage.other, turn)
      // Who joins may hear of the beginning late enough to see all of it.
      await second.heard(
        (events) => events.some(({ type }) => type === 'part-lagging') || textsIn(events) === 3,
      )
      stage.release(hold)
      const text = 'the1 quick2 brown3 fox4 jumps5 over6'

      expect(await first.outcome).toEqual(await second.outcome)
      expect(readTurn(first.events).texts).toEqual([text])
      expect(readTurn(second.events).texts).toEqual([text])
      expect(second.events.filter(({ type }) => type === 'part-discarded')).toEqual([])
      expect(stage.ledger.entries({ marker })).toHaveLength(1)
    })

    test('runTurn() started twice at once pays once', async () => {
      const { marker, turn } = await newTurn('@words:5')
      const [one, two] = await Promise.all([run(stage.backend, turn), run(stage.other, turn)])

      expect(one.outcome).toEqual(two.outcome)
      expect(readTurn(one.events).texts).toEqual(readTurn(two.events).texts)
      expect(stage.ledger.entries({ marker })).toHaveLength(1)
    })

    test('runTurn() reads a finished turn and pays nothing', async () => {
      const call = '@tool bash {"command":"true","description":"x"}'
      const { marker, turn } = await newTurn(`@reasoning:2 @say: Look\n${call}\n@say: Seen`)
      const first = await run(stage.backend, turn)
      const paid = stage.ledger.entries({ marker }).length
      const again = await run(stage.other, turn)

      expect(again.outcome).toEqual(first.outcome)
      expect(readTurn(again.events)).toEqual(readTurn(first.events))
      expect(again.events.filter(({ type }) => type === 'tool-finished')).toHaveLength(1)
      expect(stage.ledger.entries({ marker })).toHaveLength(paid)
    })

    test('abort() ends a turn that streams; asked again, it stays so and pays nothing', async () => {
      const { hold, marker, turn } = await newTurn('@words:3 @hold:NAME @words:3')
      const running = listen(stage.backend, turn)
      await stage.held(hold)
      await running.heard((events) => textsIn(events) === 3)
      await stage.backend.abort(turn)

      expect(await running.outcome).toMatchObject({ status: 'aborted', steps: 0 })
      expect(readTurn(running.events).texts).toEqual(['the1 quick2 brown3'])
      stage.release(hold)
      expect((await run(stage.other, turn)).outcome).toMatchObject({ status: 'aborted' })
      expect(stage.ledger.entries({ marker })).toHaveLength(1)
      expect(stage.ledger.paid({ marker })).toEqual([])
    })

    test('abort() leaves the session fit for another turn', async () => {
      const { hold, turn } = await newTurn('@hold:NAME')
      const running = listen(stage.backend, turn)
      await stage.held(hold)
      await stage.backend.abort(turn)
      await running.outcome
      const { outcome } = await run(stage.backend, next(turn, '@say: Still here'))

      expect(outcome).toMatchObject({ status: 'finished', text: 'Still here' })
    })

    test('runTurn() tells what it asks, waits for the answer, and goes on with it', async () => {
      const { turn } = await newTurn(`${BASH}\n@say: Done.`, {}, [{ ...BASH_RULE, action: 'ask' }])
      const running = listen(stage.backend, turn)
      const asked = await running.asked()

      expect(asked).toMatchObject({
        always: [expect.any(String)],
        subject: { kind: 'permission', permission: 'bash', patterns: ['echo hi'], questions: [] },
      })
      expect(await stage.other.answerAsk(refOf(asked), { reply: 'once' })).toBe(true)
      expect(await running.outcome).toMatchObject({ status: 'finished', text: 'Done.' })
      const types = running.events.map(({ type }) => type)
      expect(types.filter((type) => type === 'asked')).toHaveLength(1)
      expect(types.indexOf('ask-gone')).toBeGreaterThan(types.indexOf('asked'))
      expect(running.events.find(({ type }) => type === 'tool-finished')).toMatchObject({
        status: 'completed',
      })
      expect(await stage.backend.answerAsk(refOf(asked), { reply: 'once' })).toBe(false)
    })

    test('runTurn() tells the model why somebody said no, and the turn goes on', async () => {
      const { turn } = await newTurn(`${BASH}\n@say: Then not.`, {}, [{ ...BASH_RULE, action: 'ask' }])
      const running = listen(stage.backend, turn)
      await stage.backend.answerAsk(refOf(await running.asked()), { reply: 'reject', message: 'Because.' })

      expect(await running.outcome).toMatchObject({ status: 'finished', text: 'Then not.' })
      expect(running.events.find(({ type }) => type === 'tool-finished')).toMatchObject({
        status: 'error',
        title: expect.stringContaining('Because.'),
      })
    })

    test('runTurn() does what a rule allows and not what it denies, without a question', async () => {
      const allowed = await newTurn(`${BASH}\n@say: Done.`, {}, [
        { ...BASH_RULE, action: 'deny' },
        { ...BASH_RULE, pattern: 'echo *', action: 'allow' },
      ])
      const denied = await newTurn(`${BASH}\n@say: Then not.`, {}, [{ ...BASH_RULE, action: 'deny' }])
      const events = await Promise.all([allowed, denied].map(({ turn }) => run(stage.backend, turn)))

      expect(events.flatMap((one) => one.events.filter(({ type }) => type === 'asked'))).toEqual([])
      expect(events[0]!.events).toContainEqual(
        expect.objectContaining({ type: 'tool-finished', status: 'completed' }),
      )
      expect(events[1]!.outcome).toMatchObject({ status: 'finished', text: 'Then not.' })
    })

    test('runTurn() tells who joins what is asked, and what is not asked any more', async () => {
      const { turn } = await newTurn(`${BASH}\n@say: Done.`, {}, [{ ...BASH_RULE, action: 'ask' }])
      const leaving = new AbortController()
      const first = listen(stage.backend, turn, leaving.signal)
      const { askID } = await first.asked()
      leaving.abort(new Error('leaving'))
      await first.outcome.catch(() => {})
      const second = listen(stage.other, { ...turn, openAsks: [askID, 'per_0'] })
      const asked = await second.asked()
      await second.heard((events) =>
        events.some((event) => event.type === 'ask-gone' && event.askID === 'per_0'),
      )

      expect(asked.askID).toBe(askID)
      await stage.other.answerAsk(refOf(asked), { reply: 'once' })
      expect(await second.outcome).toMatchObject({ status: 'finished', text: 'Done.' })
    })

    test('abort() ends a turn that waits for an answer', async () => {
      const { turn } = await newTurn(`${BASH}\n@say: never`, {}, [{ ...BASH_RULE, action: 'ask' }])
      const running = listen(stage.backend, turn)
      await running.asked()
      await stage.backend.abort(turn)

      expect(await running.outcome).toMatchObject({ status: 'aborted' })
    })

    test('running() knows the turn that runs, and no other', async () => {
      const { hold, turn } = await newTurn('@words:2 @hold:NAME')
      const idle = (await newTurn('hello')).turn
      const first = { ...turn, messageID: `${turn.messageID}0` }
      await run(stage.backend, { ...first, parts: next(turn, 'first').parts })
      const running = listen(stage.backend, turn)
      await stage.held(hold)

      expect(await stage.other.running([first, turn, idle])).toEqual([turn])
      await stage.backend.abort(turn)
      await running.outcome
      await expect.poll(() => stage.other.running([first, turn, idle])).toEqual([])
    })

    test('abort() is safe on an idle and on an unknown session', async () => {
      const sessionID = await newSession(stage.backend)
      await stage.backend.abort({ sessionID, directory: undefined })
      await stage.backend.abort({ sessionID: 'ses_unknown', directory: undefined })
    })

    test.each([
      [401, 'provider_auth'],
      [400, 'provider_error'],
    ])('runTurn() fails for good on %d, and pays nothing when asked again', async (httpStatus, code) => {
      const { marker, turn } = await newTurn(`@status:${httpStatus}`)
      const { outcome } = await run(stage.backend, turn)
      const error = { code, retryable: false, httpStatus, message: expect.stringMatching(/./) }

      expect(outcome).toMatchObject({ status: 'failed', error, spendings: [] })
      expect((await run(stage.other, turn)).outcome).toEqual(outcome)
      expect(stage.ledger.entries({ marker })).toHaveLength(1)
    })

    test('runTurn() fails when the prompt exceeds the context', async () => {
      const { turn } = await newTurn('@overflow')
      const { outcome } = await run(stage.backend, turn)
      expect(outcome).toMatchObject({
        status: 'failed',
        error: { code: 'context_overflow', retryable: false },
      })
    })

    test('runTurn() fails on a model and on an agent that nobody knows, and asks no provider', async () => {
      const model = await newTurn('hello', { model: 'acme/bigg' })
      const agent = await newTurn('hello', { agent: 'nobody' })

      expect((await run(stage.backend, model.turn)).outcome).toMatchObject({
        status: 'failed',
        error: { code: 'unknown_model', retryable: false },
      })
      expect((await run(stage.backend, agent.turn)).outcome).toMatchObject({
        status: 'failed',
        error: { code: 'unknown_agent', retryable: false },
      })
      expect(stage.ledger.entries({ marker: model.marker })).toEqual([])
      expect(stage.ledger.entries({ marker: agent.marker })).toEqual([])
    })

    test('runTurn() fails in a session that nobody knows', async () => {
      const { turn } = await newTurn('hello')
      const { outcome } = await run(stage.backend, { ...turn, sessionID: 'ses_unknown' })
      expect(outcome).toMatchObject({
        status: 'failed',
        error: { code: 'outcome_uncertain', retryable: false },
      })
    })

    test('runTurn() stops listening when its signal aborts, and the turn goes on', async () => {
      const { hold, marker, turn } = await newTurn('@words:2 @hold:NAME @words:2')
      const leaving = new AbortController()
      const running = listen(stage.backend, turn, leaving.signal)
      await stage.held(hold)
      leaving.abort(new Error('leaving'))

      await expect(running.outcome).rejects.toThrow('leaving')
      stage.release(hold)
      const { outcome } = await run(stage.backend, turn)
      expect(outcome).toMatchObject({ status: 'finished', text: 'the1 quick2 brown3 fox4' })
      expect(stage.ledger.entries({ marker })).toHaveLength(1)
    })

    test('runTurn() refuses to begin with a signal that is aborted', async () => {
      const { marker, turn } = await newTurn('hello')
      await expect(run(stage.backend, turn, AbortSignal.abort(new Error('gone')))).rejects.toThrow('gone')
      expect(stage.ledger.entries({ marker })).toEqual([])
    })

    test('runTurn() aborts nothing when its reader leaves', async () => {
      const { hold, turn } = await newTurn('@words:2 @hold:NAME @words:2')
      for await (const { type } of stage.backend.runTurn(turn, NEVER)) if (type === 'text') break
      stage.release(hold)
      const { outcome } = await run(stage.backend, turn)
      expect(outcome).toMatchObject({ status: 'finished', text: 'the1 quick2 brown3 fox4' })
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

    /** In a new session; `NAME` in the prompt becomes a hold of this turn alone. */
    async function newTurn(
      prompt: string,
      overrides: Partial<Turn> = {},
      rules: readonly PermissionRule[] = [],
    ) {
      const hold = `hold-${randomUUID()}`
      const taskID = newTaskID()
      const marker = taskID.replace('tsk_', 'task-')
      const sessionID = await newSession(stage.backend, { taskID, rules })
      const text = `#${marker}\n${prompt.replace('NAME', hold)}`
      return { hold, marker, turn: turnOf(sessionID, text, overrides) }
    }
  })
}

export function textsIn(events: readonly TurnEvent[]): number {
  return events.filter(({ type }) => type === 'text').length
}

/** What was told in all, each as it was told last. */
function spentIn(events: readonly TurnEvent[]): Spending[] {
  const told = events.flatMap((event) => (event.type === 'spent' ? event.spendings : []))
  return [...new Map(told.map((spending) => [spending.id, spending])).values()]
}

export function newTaskID(): string {
  return `tsk_${randomUUID()}`
}

export async function newSession(
  backend: SessionBackend,
  {
    taskID = newTaskID(),
    mayExist = false,
    directory,
    rules = [],
  }: { taskID?: string; mayExist?: boolean; directory?: string; rules?: readonly PermissionRule[] } = {},
): Promise<string> {
  const request = {
    taskID,
    title: 'conformance',
    model: 'acme/mini',
    directory,
    mayExist,
    rules,
  } as const
  return (await backend.openSession(request, NEVER)).sessionID
}

export function turnOf(sessionID: string, text: string, overrides: Partial<Turn> = {}): Turn {
  const id = randomUUID()
  return {
    sessionID,
    directory: undefined,
    messageID: `msg_${id}`,
    model: 'acme/mini' as ModelID,
    agent: 'build',
    system: undefined,
    parts: [{ type: 'text', id: `prt_${id}`, text }],
    ...overrides,
  }
}

/** Another message of the same session. */
export function next({ sessionID }: Turn, text: string, overrides: Partial<Turn> = {}): Turn {
  return turnOf(sessionID, text, overrides)
}

export async function run(
  backend: SessionBackend,
  turn: Turn,
  signal: AbortSignal = NEVER,
): Promise<{ events: TurnEvent[]; outcome: TurnOutcome }> {
  const { events, outcome } = listen(backend, turn, signal)
  return { outcome: await outcome, events }
}

const BASH = '@tool bash {"command":"echo hi","description":"says hi"}'
const BASH_RULE = { permission: 'bash', pattern: '*' } as const

type Asked = Extract<TurnEvent, { type: 'asked' }>

export function refOf({ askID, subject }: Asked): AskRef {
  return { askID, kind: subject.kind, questions: subject.questions.length, directory: undefined }
}

export interface Listening {
  /** Once it asks something. */
  asked(): Promise<Asked>
  /** Grows while the turn runs. */
  events: TurnEvent[]
  outcome: Promise<TurnOutcome>
  /** Resolves when what was heard so far is as it should be; rejects when the turn ends before. */
  heard(isEnough: (events: readonly TurnEvent[]) => boolean): Promise<void>
}

export function listen(backend: SessionBackend, turn: Turn, signal: AbortSignal = NEVER): Listening {
  const events: TurnEvent[] = []
  const checks = new Set<() => void>()
  const outcome = (async () => {
    for await (const event of backend.runTurn(turn, signal)) {
      events.push(event)
      for (const check of [...checks]) check()
    }
    const last = events.at(-1)
    if (last?.type !== 'turn-ended') throw new Error(`The turn did not end: ${JSON.stringify(events)}`)
    return last.outcome
  })()
  outcome.catch(() => undefined)
  const listening: Listening = {
    events,
    outcome,
    async asked() {
      const isAsked = (event: TurnEvent): event is Asked => event.type === 'asked'
      await listening.heard((heard) => heard.some(isAsked))
      return events.find(isAsked)!
    },
    heard(isEnough) {
      return new Promise((resolve, reject) => {
        const check = (): void => {
          if (!isEnough(events)) return
          checks.delete(check)
          resolve()
        }
        checks.add(check)
        check()
        outcome.then(() => reject(new Error(`Not heard: ${JSON.stringify(events)}`)), reject)
      })
    },
  }
  return listening
}
