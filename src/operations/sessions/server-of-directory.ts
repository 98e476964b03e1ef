import type { SessionBackend } from '../../sessions/backend.ts'

/**
 * The server for what is asked of a directory: always the same one, as long as the servers are the same, and
 * most directories keep theirs when one comes or goes (rendezvous hashing).
 */
export function serverOfDirectory(
  backends: readonly SessionBackend[],
  directory: string | undefined,
): SessionBackend {
  const [first, ...more] = backends
  let best = first!
  for (const backend of more)
    if (weight(backend.server, directory) > weight(best.server, directory)) best = backend
  return best
}

/** FNV-1a. */
function weight(server: string, directory = ''): number {
  let hash = 0x811c9dc5
  for (const character of `${server}\n${directory}`)
    hash = Math.imul(hash ^ character.codePointAt(0)!, 0x01000193) >>> 0
  return hash
}
