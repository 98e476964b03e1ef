import { readFileSync } from 'node:fs'
import { z } from 'zod'

/** A process that is not mistaken for a later one with the same id. */
export const ProcessIdentity = z.strictObject({
  pid: z.int().positive(),
  /** When it started, in the kernel's words; `null` where the system does not tell, then the id must do. */
  started: z.string().nullable(),
})

export type ProcessIdentity = z.infer<typeof ProcessIdentity>

export function identifyProcess(pid: number): ProcessIdentity {
  return { pid, started: startOf(pid) ?? null }
}

/** False once it has ended, even when another process got its id. */
export function isAlive({ pid, started }: ProcessIdentity): boolean {
  if (started !== null) return startOf(pid) === started
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // It lives and belongs to somebody else.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** `<boot>/<ticks since boot>`, on Linux; undefined elsewhere and for a process that has ended. */
function startOf(pid: number): string | undefined {
  try {
    // After the name, which may hold anything, in brackets: state is field 3, start is field 22.
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)!.split(' ')
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()}/${fields[19]}`
  } catch {
    return undefined
  }
}
