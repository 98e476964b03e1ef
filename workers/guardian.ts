/**
 * Process role: guardian. Runs services for the process that started it, and outlives it by two seconds.
 *
 * Requests come on stdin, events go to stdout, one line of JSON each. The end of stdin, which even a
 * killed parent brings about, ends all services and the guardian.
 */
import { createInterface } from 'node:readline'
import { GuardianRequest, type ServiceEvent } from '../src/services/guardian-message.ts'
import { supervise } from '../src/services/supervise.ts'

const services = new Map<string, () => Promise<void>>()
let ending = false

function report(event: ServiceEvent): void {
  process.stdout.write(`${JSON.stringify(event)}\n`)
}

async function end(exitCode: number): Promise<void> {
  if (ending) return
  ending = true
  await Promise.all([...services.values()].map((stop) => stop()))
  process.exit(exitCode)
}

createInterface(process.stdin)
  .on('line', (line) => {
    const { start } = GuardianRequest.parse(JSON.parse(line))
    services.set(start.name, supervise(start, report))
  })
  .on('close', () => void end(0))

// Nobody reads any more; the end of stdin is on its way.
process.stdout.on('error', () => {})
process.on('SIGTERM', () => void end(0))
process.on('SIGINT', () => {})
process.on('SIGHUP', () => {})
process.on('uncaughtException', (error) => {
  console.error(error)
  void end(1)
})
