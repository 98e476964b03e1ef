/** Locks the data directory, prints who else it holds the lock for, and stays until it is killed. */
import { spawn } from 'node:child_process'
import { lockDataDir } from '../../src/services/data-dir-lock.ts'

const [, , dataDir, waitMs, service] = process.argv
const lock = await lockDataDir(dataDir!, Number(waitMs)).catch((error: { code: string }) => error.code)
if (typeof lock === 'string') {
  console.log(JSON.stringify({ refused: lock }))
} else {
  const child =
    service === 'with-service' ? spawn('sleep', ['1000'], { detached: true, stdio: 'ignore' }) : undefined
  if (child?.pid) lock.hold('redis', child.pid)
  console.log(JSON.stringify({ locked: true, service: child?.pid ?? null }))
  setInterval(() => {}, 1_000)
}
