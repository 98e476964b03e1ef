import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ScriptedProvider, startScriptedProvider } from './server.ts'

let provider: ScriptedProvider
beforeAll(async () => {
  provider = await startScriptedProvider()
})
afterAll(() => provider.close())

describe('the scripted provider', () => {
  test('streams what it was told, and bills it', async () => {
    const text = await (await ask('#task-stream @say: Hello there @usage:100,5,40')).text()
    const frames = text.split('\n\n').filter((frame) => frame.startsWith('data: {'))
    const said = frames.map((frame) => JSON.parse(frame.slice(6)).choices[0]?.delta.content ?? '').join('')

    expect(said).toBe('Hello there')
    expect(text).toMatch(/data: \[DONE]\n\n$/)
    expect(provider.ledger.entries({ marker: 'task-stream' })).toEqual([
      expect.objectContaining({
        model: 'acme/mini',
        kind: 'answer',
        step: 0,
        status: 200,
        streamedToEnd: true,
        aborted: false,
        text: 'Hello there',
        usage: { promptTokens: 100, outputTokens: 5, cachedTokens: 40 },
        // 60 new tokens at 0.3, 40 cached at 0.03, 5 written at 1.2 micro-USD each.
        costMicroUsd: 25,
      }),
    ])
  })

  test('answers whole when no stream is wanted', async () => {
    const answer = await (await ask('@say: Whole', { stream: false })).json()
    expect(answer).toMatchObject({
      choices: [{ message: { role: 'assistant', content: 'Whole' }, finish_reason: 'stop' }],
      usage: { completion_tokens: 2 },
    })
  })

  test('refuses as often as it was told, session by session', async () => {
    const prompt = '#task-refuse @status:429,1 @ra:3'
    const first = await ask(prompt)
    expect([first.status, first.headers.get('retry-after')]).toEqual([429, '3'])
    await first.body?.cancel()
    expect((await ask(prompt, { session: 'ses_other' })).status).toBe(429)
    expect((await ask(prompt)).status).toBe(200)
    expect(provider.ledger.paid({ marker: 'task-refuse' })).toHaveLength(1)
  })

  test('calls a tool, then answers after its result', async () => {
    const prompt = '@tool bash {"command":"ls"}\n@say: after'
    const call = await (await ask(prompt, { stream: false })).json()
    expect(call).toMatchObject({
      choices: [
        {
          finish_reason: 'tool_calls',
          message: { tool_calls: [{ function: { name: 'bash', arguments: '{"command":"ls"}' } }] },
        },
      ],
    })
    const messages = [
      { role: 'user', content: prompt },
      { role: 'assistant', content: null },
      { role: 'tool', content: 'result' },
    ]
    const answer = await (await ask('', { stream: false, messages })).json()
    expect(answer).toMatchObject({ choices: [{ message: { content: 'after' } }] })
  })

  test('stops at a hold until it is released, also from another process', async () => {
    const answering = ask('#task-hold @say: before @hold:server-test @say: after')
    await provider.held('server-test')
    expect(await (await fetch(`${provider.url}/holds`)).json()).toContain('server-test')
    expect(provider.ledger.entries({ marker: 'task-hold' })).toMatchObject([{ streamedToEnd: false }])

    await fetch(`${provider.url}/holds/server-test/release`, { method: 'POST' })
    await (await answering).text()
    const listed = await (await fetch(`${provider.url}/ledger?marker=task-hold`)).json()
    expect(listed).toMatchObject([{ text: 'before after', streamedToEnd: true }])
  })

  test('cuts the connection where it was told to', async () => {
    const response = await ask('#task-drop @say: half @drop:1')
    await expect(response.text()).rejects.toThrow()
    await expect
      .poll(() => provider.ledger.entries({ marker: 'task-drop' }))
      .toMatchObject([{ text: 'half', streamedToEnd: false, aborted: true }])
    expect(await (await ask('#task-drop @say: half @drop:1')).text()).toContain('[DONE]')
  })

  test('notices that its client has gone', async () => {
    const leaving = new AbortController()
    const answering = ask('#task-gone @hold:never-released', { signal: leaving.signal })
    await provider.held('never-released')
    leaving.abort()
    await expect(answering).rejects.toThrow()
    await expect
      .poll(() => provider.ledger.entries({ marker: 'task-gone' }))
      .toMatchObject([{ aborted: true, streamedToEnd: false }])
  })

  test('tells a title and a summary from an answer', async () => {
    const title = { role: 'system', content: 'You are a title generator. You output ONLY a thread title.' }
    const summary = { role: 'system', content: 'You are a context summarization agent.' }
    for (const system of [title, summary])
      await (
        await ask('', { messages: [system, { role: 'user', content: '#task-kinds @status:500' }] })
      ).text()
    expect(provider.ledger.entries({ marker: 'task-kinds' }).map(({ kind }) => kind)).toEqual([
      'title',
      'summary',
    ])
  })

  test('gives the same step of the same turn the same hash, whatever the model said before', async () => {
    const user = { role: 'user', content: '#task-hash' }
    const half = { role: 'assistant', content: 'half an answer' }
    for (const messages of [[user], [user, half], [user, half, { role: 'tool', content: 'r' }]])
      await (await ask('', { messages })).text()
    const [first, again, next] = provider.ledger
      .entries({ marker: 'task-hash' })
      .map(({ promptHash }) => promptHash)
    expect(again).toBe(first)
    expect(next).not.toBe(first)
  })

  test('lists the models of a provider', async () => {
    const { data } = (await (await fetch(`${provider.url}/globex/v1/models`)).json()) as {
      data: { id: string }[]
    }
    expect(data.map(({ id }) => id)).toContain('deep')
  })
})

interface Request {
  stream?: boolean
  session?: string
  messages?: object[]
  signal?: AbortSignal
}

function ask(prompt: string, request: Request = {}): Promise<Response> {
  const {
    stream = true,
    session = 'ses_test',
    signal,
    messages = [{ role: 'user', content: prompt }],
  } = request
  return fetch(`${provider.url}/acme/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-session-id': session },
    body: JSON.stringify({ model: 'mini', stream, messages }),
    ...(signal && { signal }),
  })
}
