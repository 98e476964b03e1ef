interface Waiting<Ask, Answer> {
  ask: Ask
  resolve(answer: Answer): void
  reject(error: unknown): void
}

export interface BatcherOptions {
  /** Redis does nothing else while it works off a batch: 32 are about half a millisecond. */
  most?: number
  /**
   * What is asked until then goes together. `tick`: all that follows from what was read in one go; what is asked for
   * before something else is sent in a later tick goes before it. `turn`: all of one turn of the event loop, whatever
   * connection it came from.
   */
  until?: 'tick' | 'turn'
}

/**
 * Sends what is asked for at once together, in its order: at full load that are dozens, and each costs Redis and ioredis
 * a fraction of a command of its own. Alone it waits for nothing.
 *
 * `send` gives an answer to each ask, in their order; when it rejects, all of them do.
 */
export function createBatcher<Ask, Answer>(
  send: (asks: Ask[]) => Promise<readonly Answer[]>,
  { most = 32, until = 'tick' }: BatcherOptions = {},
): (ask: Ask) => Promise<Answer> {
  let batch: Waiting<Ask, Answer>[] = []

  function flush(): void {
    const sent = batch
    batch = []
    if (sent.length === 0) return
    send(sent.map(({ ask }) => ask)).then(
      (answers) => {
        for (const [index, { resolve }] of sent.entries()) resolve(answers[index]!)
      },
      (error) => {
        for (const { reject } of sent) reject(error)
      },
    )
  }

  return (ask) =>
    new Promise((resolve, reject) => {
      batch.push({ ask, resolve, reject })
      if (batch.length >= most) flush()
      else if (batch.length > 1) return
      else if (until === 'tick') process.nextTick(flush)
      else setImmediate(flush)
    })
}
