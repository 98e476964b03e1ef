import { splitModelID } from '../tasks/model-id.ts'
import type { RoutingTable, Tier } from './table.ts'

/**
 * How many tasks of a tier can run at once: as many as it says itself, and as its models let through together. More
 * would be taken out of the queue only to be put back. `null`: no limit.
 */
export function tierConcurrency(
  { concurrency, models }: Tier,
  { caps }: Pick<RoutingTable, 'caps'>,
): number | null {
  const capOf = (name: string) => caps?.get(name)?.concurrency ?? Number.POSITIVE_INFINITY
  const byProvider = new Map<string, number>()
  for (const model of models) {
    const { providerID } = splitModelID(model)
    byProvider.set(providerID, (byProvider.get(providerID) ?? 0) + capOf(`model:${model}`))
  }
  let together = models.length === 0 ? Number.POSITIVE_INFINITY : 0
  for (const [providerID, sum] of byProvider) together += Math.min(sum, capOf(`provider:${providerID}`))
  const least = Math.min(concurrency ?? Number.POSITIVE_INFINITY, together)
  return Number.isFinite(least) ? least : null
}
