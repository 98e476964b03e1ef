import { type ConnectOptions, connectRedis, type RedisClient } from './connect.ts'

/** All of these connections or none: where one fails, the others are closed. @throws as `connectRedis`. */
export async function connectAll<Wanted extends readonly ConnectOptions[]>(
  url: string,
  wanted: readonly [...Wanted],
): Promise<{ [K in keyof Wanted]: RedisClient }> {
  const tried = await Promise.allSettled(wanted.map((options) => connectRedis(url, options)))
  const failed = tried.find(({ status }) => status === 'rejected') as PromiseRejectedResult | undefined
  const open = tried.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  if (failed === undefined) return open as { [K in keyof Wanted]: RedisClient }
  for (const connection of open) connection.disconnect()
  throw failed.reason
}
