/** One part after the other, as wide as its share of the whole; what is beyond the whole is cut: `████▒▒░░░░`. */
export function renderBar(parts: readonly { share: number; sign: string }[], width: number): string {
  let bar = ''
  let end = 0
  for (const { share, sign } of parts) {
    end += share
    const until = Math.min(width, Math.round(end * width))
    // What is there at all is seen.
    const cells = Math.max(until - bar.length, share > 0 && bar.length < width ? 1 : 0)
    bar += sign.repeat(cells)
  }
  return bar + '░'.repeat(width - bar.length)
}
