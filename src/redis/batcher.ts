interface Waiting<Ask, Answer> {
  ask: Ask
  resolve(answer: Answer): void
  reject(error: unknown): void
}

/**
 * Sends what is asked for while one piece of input is worked off together, in its order: at full load that are dozens,
 * and each costs Redis and ioredis a fraction of a command of its own. Alone it waits for nothing.
 *
 * `send` gives an answer to each ask, in their order; when it rejects, all of them do.
 */
export function createBatcher<Ask, Answer>(
  send: (asks: Ask[]) => Promise<readonly Answer[]>,
  most = 100,
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
      // After all that follows from what was read in one go.
      if (batch.length === 1) process.nextTick(flush)
      else if (batch.length >= most) flush()
    })
}
