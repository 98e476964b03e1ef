import { tableWarnings } from '../budget/table-warnings.ts'
import type { CatalogSnapshot } from '../catalog/catalog.ts'
import type { OrchestratorOptions } from '../orchestrator-options.ts'

/** Logs what only the catalog can tell of the table in force, each sentence once for as long as it holds. */
export function createCatalogWarner({
  config,
  log,
  warns = true,
}: Pick<OrchestratorOptions, 'config' | 'log' | 'warns'>) {
  let said: ReadonlySet<string> = new Set()
  return (catalog: CatalogSnapshot): void => {
    if (!warns) return
    const warnings = new Set(tableWarnings(config.table(), catalog))
    for (const warning of warnings) if (!said.has(warning)) log.warn({}, warning)
    said = warnings
  }
}
