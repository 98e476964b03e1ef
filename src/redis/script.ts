/**
 * A Lua script as a function: EVALSHA, and EVAL where the server does not know it yet.
 *
 * ioredis has `defineCommand` for that. Each of its commands is kept until the next full collection, with what was
 * sent and what came: V8 puts a function that is assigned to a property where it is written, as ioredis does, into the
 * old generation. Ours lets go of both (docs/development.md "Memory").
 */
import { createHash } from 'node:crypto'
import { Command, type Redis } from 'ioredis'

export type ScriptArg = string | number | Buffer

/**
 * Runs it in one round trip. `keysAndArgs`: first its keys, as many as `numberOfKeys`, then its arguments.
 *
 * Where Redis has lost its scripts on a connection that lasts (`SCRIPT FLUSH`) it is asked a second time.
 */
export type Script = (
  redis: Redis,
  numberOfKeys: number,
  keysAndArgs: readonly ScriptArg[],
) => Promise<unknown>

export function createScript(lua: string): Script {
  const sha = createHash('sha1').update(lua).digest('hex')
  /** Sockets on which the server was given it. */
  const knowing = new WeakSet<object>()

  class ScriptCommand extends Command {
    reply: unknown

    /** Called when it is written: the connection may be another than when it was asked for, and then again. */
    override toWritable(socket: object): string | Buffer {
      const isKnown = knowing.has(socket)
      knowing.add(socket)
      this.name = isKnown ? 'evalsha' : 'eval'
      this.args[0] = isKnown ? sha : lua
      return super.toWritable(socket)
    }

    /** Its promise cannot be made to forget what it gives. */
    override transformReply(reply: Buffer | Buffer[]): '' {
      this.reply = super.transformReply(reply)
      return ''
    }
  }

  async function ask(redis: Redis, numberOfKeys: number, keysAndArgs: readonly ScriptArg[]) {
    const command = new ScriptCommand('evalsha', [sha, numberOfKeys, ...keysAndArgs], {
      replyEncoding: 'utf8',
    })
    try {
      await redis.sendCommand(command)
      return command.reply
    } finally {
      command.args = []
      command.reply = undefined
    }
  }

  return async (redis, numberOfKeys, keysAndArgs) => {
    try {
      return await ask(redis, numberOfKeys, keysAndArgs)
    } catch (error) {
      if (!isUnknown(error)) throw error
      knowing.delete(redis.stream)
      return ask(redis, numberOfKeys, keysAndArgs)
    }
  }
}

function isUnknown(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOSCRIPT')
}
