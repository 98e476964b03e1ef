/** A server of sessions that answers at once: what is left is what tierline itself costs. */
import { Readable } from 'node:stream'
import type { CatalogSnapshot } from '../src/catalog/catalog.ts'
import type { SessionBackend, Turn, TurnEvent } from '../src/sessions/backend.ts'
import type { Usage } from '../src/tasks/usage.ts'

const TEXT = 'Nothing to complain about.'
const USAGE: Usage = {
  inputTokens: 250,
  outputTokens: 6,
  reasoningTokens: 0,
  cacheReadTokens: 0,
  cacheWriteTokens: 0,
}

/** The models of the routing table of the benchmarks. */
export const BENCH_CATALOG: CatalogSnapshot = {
  models: [
    {
      model: 'acme/nano',
      providerID: 'acme',
      modelID: 'nano',
      name: 'nano',
      price: {
        inputMicroUsdPerMTok: 100_000,
        outputMicroUsdPerMTok: 400_000,
        cacheReadMicroUsdPerMTok: 10_000,
        cacheWriteMicroUsdPerMTok: 100_000,
      },
      contextTokens: 200_000,
      outputTokens: 32_000,
      tools: true,
      active: true,
    },
  ],
  defaultModel: 'acme/nano',
  agents: ['build'],
  subagents: [],
}

export function createNoopBackend(): SessionBackend {
  let sessions = 0
  return {
    server: 'noop',
    ownDirectory: async () => '/',
    openedSince: async () => [],
    removeEmpty: async () => false,
    async openSession() {
      sessions += 1
      return { sessionID: `ses_${sessions}` }
    },
    findSession: async (sessionID) => ({
      sessionID,
      directory: undefined,
      parentID: undefined,
      metadata: {},
    }),
    async *runTurn({ messageID, model }: Turn): AsyncGenerator<TurnEvent> {
      const partID = `prt_${messageID}`
      yield { type: 'text', kind: 'text', partID, offset: 0, text: TEXT }
      yield { type: 'part-ended', kind: 'text', partID, text: TEXT }
      const spendings = [{ id: messageID, model, usage: USAGE, costMicroUsd: 27, isEstimated: false }]
      yield { type: 'spent', spendings, goesOn: false }
      yield { type: 'step', steps: 1, goesOn: false }
      yield {
        type: 'turn-ended',
        outcome: { status: 'finished', finish: 'stop', text: TEXT, model, spendings, steps: 1 },
      }
    },
    spentOn: async () => [],
    async answerAsk() {
      return false
    },
    async running() {
      return []
    },
    async answerTo({ sessionID }, messageID) {
      return {
        info: { id: `${messageID}_answer`, sessionID, role: 'assistant', parentID: messageID },
        parts: [{ type: 'text', text: TEXT }],
      }
    },
    async forward({ method, path }) {
      if (method === 'POST') sessions += 1
      const text = JSON.stringify({ id: `ses_${sessions}`, path })
      return {
        status: 200,
        headers: { 'content-type': 'application/json' },
        isJson: true,
        body: Readable.from([text]),
        json: async () => JSON.parse(text) as unknown,
      }
    },
    async *events() {},
    async abort() {},
    async openWorktree() {
      return { root: '/', directory: '/', base: null }
    },
    worktreeDiff: async () => '',
    async removeWorktree() {},
    catalog: async () => BENCH_CATALOG,
    async check() {},
    async close() {},
  }
}
