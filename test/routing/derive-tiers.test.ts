import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { CatalogModel, CatalogSnapshot } from '../../src/catalog/catalog.ts'
import { blendedMicroUsdPerMTok } from '../../src/routing/cost.ts'
import { deriveTable } from '../../src/routing/derive-tiers.ts'
import { resolveRoute } from '../../src/routing/resolve.ts'
import { createRoutingTable } from '../../src/routing/table.ts'
import type { ModelID } from '../../src/tasks/model-id.ts'
import { catalogModel, catalogOf } from './acme.ts'

describe('deriveTable()', () => {
  test('cuts the models into thirds by price, and orders each tier its own way', () => {
    expect(
      tiersOf(
        catalogOf(
          [
            catalogModel('acme/a', [0.1, 0.4]),
            catalogModel('acme/b', [0.2, 0.8]),
            catalogModel('acme/c', [1, 5]),
            catalogModel('acme/d', [1.5, 6]),
            catalogModel('acme/e', [3, 15]),
            catalogModel('acme/f', [5, 25]),
            catalogModel('acme/dear', [150, 600]),
          ],
          'acme/f',
        ),
      ),
    ).toEqual({
      fast: ['acme/a', 'acme/b'],
      // The median lies between c and d, as near to the one as to the other.
      balanced: ['acme/c', 'acme/d'],
      powerful: ['acme/f', 'acme/e'],
    })
  })

  test('orders balanced from the median outwards, the cheaper of two as near first', () => {
    const models = [1, 2, 3, 4, 5, 6, 7, 8, 9].map((usd) => catalogModel(`acme/m${usd}`, [usd, usd]))

    expect(tiersOf(catalogOf(models))).toEqual({
      fast: ['acme/m1', 'acme/m2', 'acme/m3'],
      balanced: ['acme/m5', 'acme/m4', 'acme/m6'],
      powerful: ['acme/m9', 'acme/m8', 'acme/m7'],
    })
  })

  test('leaves out what calls no tools, is not active, or is dearer than the server’s default', () => {
    const catalog = catalogOf(
      [
        catalogModel('acme/ok', [1, 5]),
        catalogModel('acme/default', [2, 10]),
        catalogModel('acme/mute', [0.1, 0.4], { tools: false }),
        catalogModel('acme/old', [0.1, 0.4], { active: false }),
        catalogModel('acme/dearer', [2, 10.01]),
        catalogModel('acme/unpriced', null),
      ],
      'acme/default',
    )

    expect(tiersOf(catalog)).toEqual({
      fast: ['acme/ok'],
      balanced: ['acme/ok', 'acme/default'],
      powerful: ['acme/default'],
    })
  })

  test('keeps very dear models out when the server’s default has no price', () => {
    const models = [catalogModel('acme/a', [1, 5]), catalogModel('acme/dear', [150, 600])]

    expect(tiersOf(catalogOf(models)).powerful).toEqual(['acme/a'])
    expect(tiersOf(catalogOf([...models, catalogModel('acme/free', null)], 'acme/free')).powerful).toEqual([
      'acme/a',
    ])
  })

  test.each<[string, CatalogModel, CatalogModel, RegExp]>([
    [
      'no price is known',
      catalogModel('acme/a', null),
      catalogModel('acme/b', null),
      /No model has a known price/,
    ],
    [
      'none calls tools',
      catalogModel('acme/a', null, { tools: false }),
      catalogModel('acme/b', null, { tools: false }),
      /No model is known to call tools/,
    ],
    [
      'none is active',
      catalogModel('acme/a', null, { active: false }),
      catalogModel('acme/b', null, { active: false }),
      /deprecated or alpha/,
    ],
    ['all are very dear', catalogModel('acme/a', [99, 99]), catalogModel('acme/b', [99, 99]), /very dear/],
  ])('gives every tier all models, the default first, when %s', (_, a, b, warning) => {
    const preferred = a.price ? null : 'acme/b'
    const table = deriveTable(catalogOf([a, b], preferred), 1)
    const chain = preferred ? ['acme/b', 'acme/a'] : ['acme/a', 'acme/b']

    expect(table.tiers.map(({ models }) => models)).toEqual([chain, chain, chain])
    expect(table.warnings).toEqual([expect.stringMatching(warning)])
  })

  test('says how to get models when the server offers none, and routing says it again', () => {
    const table = createRoutingTable(deriveTable(catalogOf([]), 1))

    expect(table.warnings).toEqual([expect.stringMatching(/opencode auth login/)])
    expect(() => resolveRoute({ type: 'lint' }, table, catalogOf([]))).toThrow(/opencode auth login/)
  })

  test('routes the built-in types', () => {
    const table = createRoutingTable(deriveTable(catalogOf(['acme/a']), 7))

    expect(table).toMatchObject({
      generation: 7,
      source: { kind: 'derived', path: null },
      default: 'balanced',
    })
    expect([...table.routes].map(([type, { tier }]) => `${type} → ${tier}`)).toEqual([
      'format → fast',
      'lint → fast',
      'triage → fast',
      'summarize → fast',
      'test → balanced',
      'docs → balanced',
      'review → balanced',
      'translate → balanced',
      'analysis → powerful',
      'architecture → powerful',
      'security → powerful',
    ])
  })
})

describe('deriveTable(), whatever the catalog', () => {
  test('fills every tier as soon as there is a model, and every built-in type has a route', () => {
    checkAll((catalog) => {
      fc.pre(catalog.models.length > 0)
      const table = createRoutingTable(deriveTable(catalog, 1))
      for (const { models } of table.tiers) {
        expect(models.length).toBeGreaterThan(0)
        expect(models.length).toBeLessThanOrEqual(5)
        expect(new Set(models).size).toBe(models.length)
      }
      for (const type of table.routes.keys())
        expect(() => resolveRoute({ type }, table, catalog)).not.toThrow()
    })
  })

  test('lets nothing dearer than the server’s default into a tier', () => {
    checkAll((catalog) => {
      const ceiling = priceOf(catalog, catalog.defaultModel)
      fc.pre(ceiling !== null)
      for (const model of Object.values(tiersOf(catalog)).flat())
        expect(priceOf(catalog, model) ?? 0).toBeLessThanOrEqual(ceiling!)
    })
  })

  test('orders fast cheapest first, powerful dearest first, and no tier below a cheaper one', () => {
    checkAll((catalog) => {
      const { fast, balanced, powerful } = tiersOf(catalog)
      const prices = (models: readonly ModelID[]) => models.map((model) => priceOf(catalog, model))
      if ([...fast, ...balanced, ...powerful].some((model) => priceOf(catalog, model) === null)) return
      if (deriveTable(catalog, 1).warnings.length > 0) return
      const up = (a: number | null, b: number | null) => a! - b!
      expect(prices(fast)).toEqual(prices(fast).sort(up))
      expect(prices(powerful)).toEqual(prices(powerful).sort(up).reverse())
      const [cheapest, dearest] = [
        Math.max(...prices(fast).map(Number)),
        Math.min(...prices(powerful).map(Number)),
      ]
      expect(cheapest).toBeLessThanOrEqual(dearest)
      for (const price of prices(balanced)) {
        expect(price).toBeGreaterThanOrEqual(prices(fast)[0]!)
        expect(price).toBeLessThanOrEqual(prices(powerful)[0]!)
      }
    })
  })

  test('does not depend on the order of the catalog', () => {
    checkAll((catalog) => {
      const reversed = { ...catalog, models: [...catalog.models].reverse() }
      expect(tiersOf(reversed)).toEqual(tiersOf(catalog))
    })
  })
})

function checkAll(property: (catalog: CatalogSnapshot) => void): void {
  // Few prices, so that many models cost the same.
  const usd = fc.integer({ min: 1, max: 6 })
  const model = fc.record({
    name: fc.integer({ min: 0, max: 99 }),
    price: fc.option(fc.tuple(usd, usd), { freq: 4 }),
    tools: fc.boolean(),
    active: fc.boolean(),
  })
  const catalogs = fc
    .record({
      models: fc.uniqueArray(model, { selector: ({ name }) => name, maxLength: 30 }),
      preferred: fc.nat({ max: 40 }),
    })
    .map(({ models, preferred }) => {
      const listed = models.map(({ name, price, tools, active }) =>
        catalogModel(`acme/m${name}`, price, { tools, active }),
      )
      return catalogOf(listed, listed[preferred]?.model ?? null)
    })
  fc.assert(fc.property(catalogs, property), { numRuns: 300 })
}

function tiersOf(
  catalog: CatalogSnapshot,
): Record<string, readonly ModelID[]> & Record<'fast' | 'balanced' | 'powerful', readonly ModelID[]> {
  const { tiers } = deriveTable(catalog, 1)
  return Object.fromEntries(tiers.map(({ name, models }) => [name, models])) as ReturnType<typeof tiersOf>
}

function priceOf(catalog: CatalogSnapshot, model: ModelID | null): number | null {
  const price = catalog.models.find((known) => known.model === model)?.price
  return price ? blendedMicroUsdPerMTok(price) : null
}
