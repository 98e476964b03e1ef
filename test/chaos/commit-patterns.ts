/** How each commit point looks on the wire. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { CommitPoint } from './plan.ts'

export const COMMIT_PATTERNS: Record<CommitPoint, RegExp> = {
  // A client sends every submit with an idempotency key.
  create: script('create-task-once'),
  claim: script('claim-task'),
  write: script('write-task'),
  session: /POST \/session[? ]/,
  prompt: /POST \/session\/\w+\/prompt_async/,
}

/** Redis is asked for a script by the SHA-1 of its source. */
function script(name: string): RegExp {
  const source = readFileSync(new URL(`../../src/redis/scripts/${name}.lua`, import.meta.url))
  return new RegExp(createHash('sha1').update(source).digest('hex'))
}
