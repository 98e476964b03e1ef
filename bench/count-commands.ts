import { channel } from 'node:diagnostics_channel'

/** Counts every command that ioredis sends from this process, those inside a pipeline one by one. */
export function countCommands(): { stop(): number } {
  const started = channel('tracing:ioredis:command:start')
  let sent = 0
  const onCommand = () => {
    sent += 1
  }
  started.subscribe(onCommand)
  return {
    stop() {
      started.unsubscribe(onCommand)
      return sent
    },
  }
}
