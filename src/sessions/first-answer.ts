import type { SessionBackend } from './backend.ts'

/** Of several servers, the first that answers; the last one's error when none does. */
export async function firstAnswer<T>(
  backends: readonly SessionBackend[],
  ask: (backend: SessionBackend) => Promise<T>,
): Promise<T> {
  let last: unknown
  for (const backend of backends) {
    try {
      return await ask(backend)
    } catch (error) {
      last = error
    }
  }
  throw last
}
