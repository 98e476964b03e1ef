/** How each commit point looks on the wire. */
import { createHash } from 'node:crypto'
import { claimingScript } from '../../src/queues/claiming-backend.ts'
import { creatingScript } from '../../src/queues/create-tasks.ts'
import { scriptSource } from '../../src/redis/scripts.ts'
import type { CommitPoint } from './plan.ts'

export const COMMIT_PATTERNS: Record<CommitPoint, RegExp> = {
  create: asked(creatingScript()),
  claim: asked(claimingScript('moveToActive'), claimingScript('moveToFinished')),
  write: asked(scriptSource('write-tasks'), claimingScript('moveToFinished')),
  session: /POST \/session[? ]/,
  prompt: /POST \/session\/\w+\/prompt_async/,
}

/** Redis is asked for a script by the SHA-1 of its source. */
function asked(...sources: string[]): RegExp {
  return new RegExp(sources.map((source) => createHash('sha1').update(source).digest('hex')).join('|'))
}
