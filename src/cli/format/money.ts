const MICRO = 1_000_000

/** `12_345` → `$0.0123`: four decimals, six below a cent, two from a dollar on. */
export function formatMicroUsd(microUsd: number): string {
  if (microUsd === 0) return '$0'
  const decimals = microUsd < MICRO / 100 ? 6 : microUsd < MICRO ? 4 : 2
  const usd = (microUsd / MICRO).toLocaleString('en-US', {
    minimumFractionDigits: decimals,
    maximumFractionDigits: decimals,
  })
  return `$${usd}`
}

/** Price of a million tokens: `$3`, `$0.25`. */
export function formatPrice(microUsdPerMTok: number): string {
  return `$${(microUsdPerMTok / MICRO).toLocaleString('en-US', { maximumFractionDigits: 6 })}`
}
