/** Waits for `work`, but no longer than `ms`. What becomes of it is the caller's to look at. */
export async function withinMs(work: Promise<unknown>, ms: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, ms)
  await Promise.race([promise, work]).finally(() => clearTimeout(timer))
}
