import { expect, test } from 'vitest'
import { catalogWarnings } from '../../src/routing/catalog-warnings.ts'
import { acmeCatalog, acmeTable } from './acme.ts'

test('catalogWarnings() names each place of a model that is not offered, with the nearest', () => {
  expect(catalogWarnings(acmeTable(), acmeCatalog)).toEqual([
    expect.stringMatching(
      /^tiers\.powerful\.models: "acme\/gone" is not offered by the OpenCode server; nearest: /,
    ),
    expect.stringMatching(/^tiers\.broken\.models: "acme\/gone" is not offered/),
    expect.stringMatching(/^routes\.void: "globex\/deap" is not offered .*; nearest: globex\/deep/),
  ])
})
