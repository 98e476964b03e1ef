/** Process role: takes tasks and runs them. A child of `up`, or by itself with the environment's settings. */
import { readSettings } from '../src/config/settings.ts'
import { receiveRoleSettings } from '../src/runtime/child-role.ts'
import { runRole } from '../src/runtime/run-role.ts'
import { startTasks } from '../src/runtime/start-tasks.ts'

const given = await receiveRoleSettings()
const { settings, concurrency } = given ?? { settings: readSettings() }
// The API of the same `up` says what is odd about them.
const warns = given === undefined
await runRole(
  settings,
  (logger) => startTasks(settings, logger, { warns, ...(concurrency !== undefined && { concurrency }) }),
  () => {},
)
