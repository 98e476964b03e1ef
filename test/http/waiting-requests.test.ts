import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { expect, test } from 'vitest'
import { createWaitingRequests } from '../../src/http/waiting-requests.ts'

const response = () => new ServerResponse(new IncomingMessage(new Socket()))

test('a request is over when its client leaves, and stopped when the server closes', () => {
  const { signalFor, abortAll } = createWaitingRequests()
  const [left, waiting] = [response(), response()]
  const signals = [signalFor(left), signalFor(waiting)]

  left.emit('close')
  expect(signals.map(({ aborted }) => aborted)).toEqual([true, false])
  abortAll()
  expect(signals[1]!.reason).toMatchObject({ code: 'opencode_unavailable' })
  expect(signalFor(response()).reason).toMatchObject({ code: 'opencode_unavailable' })
})

test('nothing is kept for a client that has left before its request waits', () => {
  const gone = response()
  gone.destroy()

  expect(createWaitingRequests().signalFor(gone).aborted).toBe(true)
  // It would never be called: the response is closed already.
  expect(gone.listenerCount('close')).toBe(0)
})
