import { z } from 'zod'

/** How it shows that a service works, tried until it does or the time to start is up. */
const ReadyProbe = z.union([
  /** It prints one line of JSON on stdout, which becomes its `output`. */
  z.strictObject({ stdoutJson: z.literal(true) }),
  /** This URL answers 2xx. */
  z.strictObject({ http: z.url(), headers: z.record(z.string(), z.string()) }),
  /** This Redis answers PING and has loaded its data. */
  z.strictObject({ redis: z.string() }),
])

export type ReadyProbe = z.infer<typeof ReadyProbe>

/** How a Redis is looked at while it runs. */
const HealthCheck = z.strictObject({
  redis: z.string(),
  everyMs: z.int().positive(),
  /** How long it may take to answer: a snapshot or a long script keeps it from that. */
  patienceMs: z.int().positive(),
  /** So many times in a row without an answer, and it is killed. */
  maxSilent: z.int().min(1),
})

export type HealthCheck = z.infer<typeof HealthCheck>

/** All that is needed to start a process, and to start it again at the same place. Plain data. */
export const ServiceSpec = z.strictObject({
  /** Unique under one guardian: `redis`, `opencode-local`. */
  name: z.string().min(1),
  /** Absolute path, or a name on the guardian's PATH. */
  command: z.string().min(1),
  /** Everybody on the machine can read these: no secrets. */
  args: z.array(z.string()),
  /** The whole environment: nothing is inherited. */
  env: z.record(z.string(), z.string()),
  cwd: z.string(),
  /** Written to its stdin, which is then closed: the place for secrets. */
  stdin: z.string().optional(),
  ready: ReadyProbe,
  startTimeoutMs: z.int().positive(),
  /** Without it only its death is noticed. */
  health: HealthCheck.optional(),
  /** What it prints; emptied when the guardian starts it for the first time. */
  logFile: z.string(),
  /** Never shown in an error. */
  secrets: z.array(z.string()),
  restart: z.strictObject({
    /** Before the first restart; doubles with each quick death, up to 10 s. */
    delayMs: z.int().min(0),
    /** A death sooner than this after the start is a quick one. */
    quickDeathMs: z.int().min(0),
    /** So many quick deaths in a row end the attempts. */
    maxQuickDeaths: z.int().min(1),
  }),
})

export type ServiceSpec = z.infer<typeof ServiceSpec>

/** Less than a minute from the last answer to the restart, and no disk is so slow. */
export const HEALTH: Omit<HealthCheck, 'redis'> = { everyMs: 5_000, patienceMs: 10_000, maxSilent: 3 }

export const RESTART: ServiceSpec['restart'] = { delayMs: 250, quickDeathMs: 10_000, maxQuickDeaths: 5 }
