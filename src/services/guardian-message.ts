/** The lines of JSON between `startGuardian()` and the guardian's process. */
import { z } from 'zod'
import { ServiceSpec } from './service-spec.ts'

/** To the guardian; the end of its stdin means "end them all, then yourself". */
export const GuardianRequest = z.strictObject({ start: ServiceSpec })

export type GuardianRequest = z.infer<typeof GuardianRequest>

const pid = z.int().positive()
const name = z.string()

/** What happens to a service. */
export const ServiceEvent = z.discriminatedUnion('type', [
  /** It works, for the first time (`restarts` 0) or again. `output`: its line of JSON, where it is to print one. */
  z.strictObject({
    type: z.literal('ready'),
    name,
    pid,
    restarts: z.int().min(0),
    output: z.unknown().optional(),
  }),
  /** It is gone after it was ready; a restart follows. `exit`: `it was ended by SIGKILL`. */
  z.strictObject({ type: z.literal('exited'), name, pid, exit: z.string() }),
  /** It did not start, or died too often: it stays down. The message has its last lines. */
  z.strictObject({ type: z.literal('failed'), name, message: z.string() }),
])

export type ServiceEvent = z.infer<typeof ServiceEvent>
