const STOCK =
  'the quick brown fox jumps over the lazy dog while seven careful testers watch each word arrive'.split(' ')

/** `words(3)` → `"the1 quick2 brown3"`: numbered from `after + 1`, so that a gap or a repeat shows. */
export function words(count: number, after = 0): string {
  const word = (number: number): string => `${STOCK[(number - 1) % STOCK.length]}${number}`
  return Array.from({ length: count }, (_, index) => word(after + index + 1)).join(' ')
}

/** Cuts a text into the chunks a model would send: words with the blank after them, or `units` UTF-16 units. */
export function chunksOf(text: string, units: number): string[] {
  if (units === 0) return text.match(/\s*\S+\s*?(?=\s|$)|\s+$/g) ?? (text ? [text] : [])
  return Array.from({ length: Math.ceil(text.length / units) }, (_, i) =>
    text.slice(i * units, (i + 1) * units),
  )
}

/** About what a tokenizer would count. */
export function tokensOf(text: string): number {
  return Math.max(1, Math.ceil(text.length / 4))
}
