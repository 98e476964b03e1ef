import { describe, expect, test } from 'vitest'
import { resolveAtDispatch } from '../../src/routing/dispatch.ts'
import { resolveRoute } from '../../src/routing/resolve.ts'
import { createRoutingTable, type RoutingTable } from '../../src/routing/table.ts'
import { acmeCatalog, acmeTable, catalogOf, toTier } from './acme.ts'

describe('resolveAtDispatch()', () => {
  test('gives the same decision while nothing changed', () => {
    const route = resolveRoute({ type: 'lint' }, acmeTable(), acmeCatalog)

    expect(resolveAtDispatch(route, acmeTable(), acmeCatalog)).toEqual(route)
  })

  test('takes the models that the tier has now', () => {
    const route = resolveRoute({ type: 'lint' }, acmeTable(), acmeCatalog)
    const now = resolveAtDispatch(route, withFast(['globex/fast', 'acme/nano']), acmeCatalog)

    expect(now).toMatchObject({ generation: 4, tier: 'fast', model: 'globex/fast', chain: ['acme/nano'] })
  })

  test('skips a model that is no longer offered', () => {
    const route = resolveRoute({ type: 'lint' }, acmeTable(), acmeCatalog)

    expect(resolveAtDispatch(route, acmeTable(), catalogOf(['acme/mini'])).model).toBe('acme/mini')
  })

  test('stays in the tier of its queue when the type now leads elsewhere', () => {
    const route = resolveRoute({ type: 'lint' }, acmeTable(), acmeCatalog)
    const table = acmeTable({ ...withFast(['globex/fast']), routes: new Map([['lint', toTier('powerful')]]) })

    expect(resolveAtDispatch(route, table, acmeCatalog)).toMatchObject({
      requested: { type: 'lint' },
      tier: 'fast',
      model: 'globex/fast',
    })
  })

  test('stays in its tier when the type is gone from the table', () => {
    const route = resolveRoute({ type: 'lint' }, acmeTable(), acmeCatalog)

    expect(resolveAtDispatch(route, acmeTable({ routes: new Map() }), acmeCatalog)).toMatchObject({
      requested: { type: 'lint' },
      tier: 'fast',
      model: 'acme/nano',
    })
  })

  test('keeps the route of the submit when its tier is gone, or offers nothing', () => {
    const route = resolveRoute({ tier: 'fast' }, acmeTable(), acmeCatalog)
    const without = acmeTable({ tiers: acmeTable().tiers.filter(({ name }) => name !== 'fast') })

    expect(resolveAtDispatch(route, without, acmeCatalog)).toBe(route)
    expect(resolveAtDispatch(route, acmeTable(), catalogOf(['globex/fast']))).toBe(route)
  })

  test('never moves a pinned model, even when another tier lists it now', () => {
    const route = resolveRoute({ model: 'acme/nano' }, acmeTable(), acmeCatalog)

    expect(resolveAtDispatch(route, withFast(['globex/fast']), acmeCatalog)).toBe(route)
  })

  test('keeps a type’s own model when the type now leads to another tier', () => {
    const route = resolveRoute({ type: 'summarize' }, acmeTable(), acmeCatalog)
    const table = acmeTable({ routes: new Map([['summarize', toTier('powerful')]]) })

    expect(route).toMatchObject({ tier: 'fast', model: 'acme/mini' })
    expect(resolveAtDispatch(route, table, acmeCatalog)).toBe(route)
  })
})

function withFast(models: RoutingTable['tiers'][number]['models']): RoutingTable {
  const table = acmeTable()
  return createRoutingTable({
    ...table,
    generation: 4,
    tiers: table.tiers.map((tier) => (tier.name === 'fast' ? { ...tier, models } : tier)),
  })
}
