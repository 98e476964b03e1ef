/** Starts a guardian with one stubborn service, prints their process ids, and stays until it is killed. */
import { join } from 'node:path'
import { startGuardian } from '../../src/services/guardian.ts'
import { STUBBORN, scriptService } from './script-service.ts'

const directory = process.argv[2]!
const guardian = await startGuardian({ logFile: join(directory, 'guardian.log') })
const service = await guardian.start(scriptService(directory, STUBBORN))
console.log(JSON.stringify([guardian.pid, service.pid, (service.output as { child: number }).child]))
