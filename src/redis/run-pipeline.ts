import type { ChainableCommander } from 'ioredis'

/**
 * What each command of a pipeline says, in their order; one round trip. ioredis resolves also where commands have
 * failed, and `null` in place of an answer would pass for one.
 *
 * @throws the error of the first command that failed.
 */
export async function runPipeline(pipeline: ChainableCommander): Promise<unknown[]> {
  const replies = (await pipeline.exec()) ?? []
  return replies.map(([error, reply]) => {
    if (error !== null) throw error
    return reply
  })
}
