/** Process role: retention and the sweeper, for set-ups that keep them apart from the workers. */
import { readSettings } from '../src/config/settings.ts'
import { runRole } from '../src/runtime/run-role.ts'
import { startMaintenanceRole } from '../src/runtime/start-maintenance.ts'

const settings = readSettings()
await runRole(
  settings,
  (logger) => startMaintenanceRole(settings, logger),
  () => {},
)
