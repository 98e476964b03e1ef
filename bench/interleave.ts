/**
 * Runs all sides once per round, so that what disturbs the machine meets all of them; every other round in
 * the opposite order. A round before the first one warms up and counts for nothing.
 */
export async function interleave<Side extends string, Sample>(
  sides: Record<Side, () => Promise<Sample>>,
  rounds: number,
): Promise<Record<Side, Sample[]>> {
  const names = Object.keys(sides) as Side[]
  const samples = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<Side, Sample[]>
  for (let round = 0; round <= rounds; round += 1) {
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      const sample = await sides[name]()
      if (round > 0) samples[name].push(sample)
    }
  }
  return samples
}
