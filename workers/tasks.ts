/** Process role: takes tasks and runs them. A child of `up`, or by itself with the environment's settings. */
import { readSettings } from '../src/config/settings.ts'
import { receiveRoleSettings } from '../src/runtime/child-role.ts'
import { runRole } from '../src/runtime/run-role.ts'
import { startTasks } from '../src/runtime/start-tasks.ts'

const { settings, concurrency } = (await receiveRoleSettings()) ?? { settings: readSettings() }
await runRole(
  settings,
  (logger) => startTasks(settings, logger, concurrency === undefined ? {} : { concurrency }),
  () => {},
)
