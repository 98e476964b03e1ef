import type { RoutingTableParts } from '../../src/routing/table.ts'

/** Set of the messages whose turns run. */
export const RUNNING = 'running-turns'
/** List with an element for each turn that may end. */
export const ENDS = 'turns-may-end'
export const MOST = 4

/** Two tiers that share a model, so that tasks wait at its limit and not in a queue alone. */
export const LIMITED: Partial<RoutingTableParts> = {
  tiers: [
    { name: 'fast', models: ['acme/nano', 'acme/mini'], concurrency: 10 },
    { name: 'slow', models: ['acme/nano', 'acme/big'], concurrency: 10 },
  ],
  caps: new Map([
    ['model:acme/nano', { concurrency: MOST, requestsPerMinute: null, tokensPerMinute: null }],
    ['provider:acme', { concurrency: MOST + 1, requestsPerMinute: null, tokensPerMinute: null }],
  ]),
}
