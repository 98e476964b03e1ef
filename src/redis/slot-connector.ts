import { connect as connectTcp } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import { AbstractConnector, type RedisOptions } from 'ioredis'
import { findSlotOwner, type SlotOwner } from './find-slot-owner.ts'
import type { RedisNode } from './redis-url.ts'

type Connect = AbstractConnector['connect']

/**
 * How an ordinary `ioredis` connection finds its node of a cluster: with every connect it looks for the master that
 * has the slot of this hash tag, for as long as there is none, as the connector for Sentinel does for its master
 * (docs/decisions/0016-follow-the-slot.md).
 */
export function createSlotConnector(
  seeds: readonly RedisNode[],
  access: RedisOptions,
  root: string,
): NonNullable<RedisOptions['Connector']> {
  let known: readonly RedisNode[] = []
  let looking: Promise<SlotOwner> | undefined

  /** Connections that were lost together look together. */
  function find(): Promise<SlotOwner> {
    looking ??= findSlotOwner(withoutRepeats([...seeds, ...known]), access, root)
      .then((found) => {
        known = found.nodes
        return found
      })
      .finally(() => {
        looking = undefined
      })
    return looking
  }

  return class SlotConnector extends AbstractConnector {
    readonly #options: RedisOptions
    #closing = new AbortController()

    constructor(options: unknown) {
      super((options as { disconnectTimeout: number }).disconnectTimeout)
      this.#options = options as RedisOptions
    }

    override async connect(emit: Parameters<Connect>[0]): ReturnType<Connect> {
      this.connecting = true
      this.#closing = new AbortController()
      const { signal } = this.#closing
      for (let times = 1; ; times += 1) {
        try {
          const { node } = await find()
          if (!signal.aborted) return this.#open(node)
        } catch (error) {
          // One that is closed has no retries left, and this is not the reason to tell.
          if (signal.aborted) throw new Error('Connection is closed.')
          const delayMs = this.#options.retryStrategy?.(times)
          if (typeof delayMs !== 'number') throw error
          emit('error', error as Error)
          await sleep(delayMs, undefined, { signal }).catch(() => {})
        }
        if (signal.aborted) throw new Error('Connection is closed.')
      }
    }

    override disconnect(): void {
      this.#closing.abort()
      super.disconnect()
    }

    #open(node: RedisNode): Awaited<ReturnType<Connect>> {
      const { tls, family } = this.#options
      const to = { ...node, ...(family !== undefined && { family }) }
      const stream = tls ? connectTls({ ...to, ...tls }) : connectTcp(to)
      stream.once('error', (error) => {
        this.firstError = error
      })
      this.stream = stream
      return stream
    }
  }
}

function withoutRepeats(nodes: readonly RedisNode[]): RedisNode[] {
  return [...new Map(nodes.map((node) => [`${node.host}:${node.port}`, node])).values()]
}
