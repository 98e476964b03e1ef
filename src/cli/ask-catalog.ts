/** What the OpenCode server of the settings offers, asked by a command that needs no tierline to run. */
import type { CatalogSnapshot } from '../catalog/catalog.ts'
import type { Settings } from '../config/settings.ts'
import { readServices } from '../services/services-file.ts'

type Address = Settings['openCode'][number]

/** The first that the environment names, else that of an `up` that runs. `undefined`: none is known. */
export function findOpenCode({ openCode, dataDir }: Settings): Address | undefined {
  return openCode[0] ?? readServices(dataDir)?.opencode[0]
}

export async function askCatalog(
  { name, url, username, password }: Address,
  signal?: AbortSignal,
): Promise<CatalogSnapshot> {
  // Loaded when it is needed: the other commands start faster.
  const { createOpenCodeBackend } = await import('../sessions/opencode/backend.ts')
  const backend = createOpenCodeBackend({ server: name, url, username, password: password ?? undefined })
  try {
    return await backend.catalog(undefined, signal)
  } finally {
    await backend.close()
  }
}
