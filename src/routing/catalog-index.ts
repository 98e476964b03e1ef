import type { CatalogModel, CatalogSnapshot } from '../catalog/catalog.ts'
import type { ModelID } from '../tasks/model-id.ts'

const indexes = new WeakMap<CatalogSnapshot, ReadonlyMap<ModelID, CatalogModel>>()

/** The models of a snapshot by their id. Made once per snapshot: some servers offer thousands. */
export function modelsOf(catalog: CatalogSnapshot): ReadonlyMap<ModelID, CatalogModel> {
  let index = indexes.get(catalog)
  if (!index) {
    index = new Map(catalog.models.map((model) => [model.model, model]))
    indexes.set(catalog, index)
  }
  return index
}
