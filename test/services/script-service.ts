import { join } from 'node:path'
import type { ServiceSpec } from '../../src/services/service-spec.ts'

/** A service that is this JavaScript, ready when it has printed a line of JSON. */
export function scriptService(
  directory: string,
  script: string,
  overrides: Partial<ServiceSpec> = {},
): ServiceSpec {
  return {
    name: 'script',
    command: process.execPath,
    args: ['--eval', script],
    env: {},
    cwd: directory,
    ready: { stdoutJson: true },
    startTimeoutMs: 30_000,
    logFile: join(directory, 'script.log'),
    secrets: [],
    restart: { delayMs: 1, quickDeathMs: 60_000, maxQuickDeaths: 3 },
    ...overrides,
  }
}

/** Says it is ready, ignores SIGTERM, and has a child that does so too; `output.child` is its process id. */
export const STUBBORN = `
  process.on('SIGTERM', () => {})
  const script = 'process.on("SIGTERM", () => {}); setInterval(() => {}, 1000); console.log("up")'
  const child = require('node:child_process').spawn(process.execPath, ['--eval', script])
  child.stdout.once('data', () => console.log(JSON.stringify({ child: child.pid })))
`
