/** Process role: REST API, event streams and board. A child of `up`, or by itself with the environment's settings. */
import { readSettings } from '../src/config/settings.ts'
import { receiveRoleSettings } from '../src/runtime/child-role.ts'
import { runRole } from '../src/runtime/run-role.ts'
import { startApi } from '../src/runtime/start-api.ts'

const { settings } = (await receiveRoleSettings()) ?? { settings: readSettings() }
await runRole(
  settings,
  (logger) => startApi(settings, logger),
  () => {},
)
