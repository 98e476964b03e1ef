import { translateRedisError } from './redis-unavailable.ts'

/**
 * The same functions, but a Redis that is away is `redis_unavailable` whichever of them meets it.
 *
 * For ports whose functions give a promise or an async iterable and need no `this`; the rest is passed on.
 */
export function withRedisErrors<Port extends object>(port: Port): Port {
  const entries = Object.entries(port).map(([name, value]: [string, unknown]) => [
    name,
    typeof value === 'function' ? (...args: unknown[]) => translated(value(...args)) : value,
  ])
  return Object.fromEntries(entries) as Port
}

function translated(result: unknown): unknown {
  if (result instanceof Promise) {
    return result.catch((error: unknown) => {
      throw translateRedisError(error)
    })
  }
  return isIterable(result) ? iterate(result) : result
}

async function* iterate<T>(items: AsyncIterable<T>): AsyncGenerator<T> {
  try {
    yield* items
  } catch (error) {
    throw translateRedisError(error)
  }
}

function isIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value
}
