import { expect, test } from 'vitest'
import { type AskNotice, createAskRelay } from '../../src/sessions/opencode/asks.ts'
import type { OpenCodeHttp } from '../../src/sessions/opencode/http.ts'
import type { Ask } from '../../src/sessions/opencode/wire.ts'

const BUSY = { ses_parent: { type: 'busy' }, ses_child: { type: 'busy' } } as const

test('an ask of a child is told to the session above it, and so is its answer', async () => {
  const { relay, told, looked } = openRelay()

  await relay.seen('permission', ASK)
  await relay.seen('permission', { ...ASK, id: 'per_2' })
  relay.replied('per_1', 'once')

  expect(told).toEqual(['asked per_1', 'asked per_2', 'ask-replied per_1'])
  expect(looked).toEqual(['ses_child'])
})

test('an answer may come after the list that has its ask no more', async () => {
  const { relay, told } = openRelay()
  await relay.seen('permission', ASK)

  await relay.sweep(BUSY)
  relay.replied('per_1', 'always')

  expect(told).toEqual(['asked per_1', 'listed ', 'ask-replied per_1'])
})

test('an ask that two lists do not have is forgotten, and so is a session that is over', async () => {
  const { relay, told, looked, listed } = openRelay()
  await relay.seen('permission', ASK)

  listed.push(ASK)
  await relay.sweep(BUSY)
  expect(looked).toEqual(['ses_child'])
  listed.pop()
  await relay.sweep({})
  await relay.sweep({})
  relay.replied('per_1', 'once')
  await relay.seen('permission', { ...ASK, id: 'per_2' })

  expect(told).toEqual(['asked per_1', 'listed per_1', 'listed ', 'listed ', 'asked per_2'])
  expect(looked).toEqual(['ses_child', 'ses_child'])
})

const ASK = {
  id: 'per_1',
  sessionID: 'ses_child',
  permission: 'bash',
  patterns: [],
  always: [],
} as unknown as Ask

/** The relay of a session of ours that has a child. */
function openRelay() {
  const told: string[] = []
  const looked: string[] = []
  const listed: Ask[] = []
  const http = {
    async session(id: string) {
      looked.push(id)
      return { id, parentID: 'ses_parent', time: { created: 0 } }
    },
    asks: async (kind: string) => (kind === 'permission' ? [...listed] : []),
  } as unknown as OpenCodeHttp
  const relay = createAskRelay({
    http,
    directory: undefined,
    sessions: () => ['ses_parent'],
    isOurs: (sessionID) => sessionID === 'ses_parent',
    tell: (_, notice) => void told.push(describe(notice)),
    signal: new AbortController().signal,
    logger: undefined,
  })
  return { relay, told, looked, listed }
}

function describe(notice: AskNotice): string {
  if (notice.type === 'asks-listed') return `listed ${notice.asks.map(({ id }) => id).join(' ')}`
  return `${notice.type} ${notice.type === 'asked' ? notice.ask.id : notice.askID}`
}
