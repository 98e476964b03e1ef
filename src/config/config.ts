/** One version of what the file says, or of what holds without one. Never changes. */
import type { Price, Rates } from '../catalog/catalog.ts'
import { isLimit } from '../routing/limits-for.ts'
import {
  type Budget,
  type Caps,
  createRoutingTable,
  type RouteRule,
  type RoutingRule,
  type RoutingTable,
} from '../routing/table.ts'
import type { ModelID } from '../tasks/model-id.ts'
import type { Permissions } from '../tasks/permissions.ts'
import type { DefaultsContent } from './defaults-schema.ts'
import type { FileContent } from './file-schema.ts'

const MICRO_USD_PER_USD = 1_000_000

export interface Config {
  readonly table: RoutingTable
  readonly limits: Limits
  readonly retry: {
    readonly maxTries: number
    readonly backoffMs: number
    readonly maxBackoffMs: number
    readonly maxRetryAfterMs: number
    readonly cooldownMs: number
    readonly maxCooldownMs: number
  }
  /** Tasks at a time of one tier in one process, where the tier has no limit of its own. */
  readonly workerConcurrency: number
  readonly directories: {
    /** Absolute paths; `null`: the file says nothing. `allowedRoots` knows what holds then. */
    readonly allow: readonly string[] | null
  }
  /** Commands by name. */
  readonly verifiers: ReadonlyMap<string, { readonly run: readonly string[]; readonly timeoutMs: number }>
  readonly http: { readonly allowedHosts: readonly string[]; readonly corsOrigins: readonly string[] }
}

export interface Limits {
  readonly maxWaitingTasks: number
  readonly maxPromptBytes: number
  /** Wall clock of a task, where neither it nor its route names one. */
  readonly timeoutMs: number
  /** As in `RouteRule`, where the route says nothing. */
  readonly queueTimeoutMs: number
  readonly maxSteps: number
  readonly silenceMs: number
  readonly retryWaitMs: number
  readonly askTimeoutMs: number
  readonly permissions: Permissions
  readonly logAgeMs: number
  readonly taskAgeMs: number
  readonly maxFinishedTasks: number
  readonly maxLogEvents: number
  readonly ledgerDays: number
  readonly idempotencyAgeMs: number
}

/** Makes the configuration of a file that was found good. */
export function configOf(
  file: FileContent,
  origin: {
    generation: number
    path: string
    /** Where the budgets stand, in their order: `tierline.yaml:12:5: budgets.0`. */
    budgetPlaces: readonly string[]
  },
): Config {
  const tiers = Object.entries(file.tiers).map(([name, { models, concurrency }]) => ({
    name,
    models,
    concurrency: concurrency ?? null,
  }))
  const table = createRoutingTable({
    generation: origin.generation,
    source: { kind: 'file', path: origin.path },
    tiers,
    rules: file.rules.map(routingRuleOf),
    routes: new Map(Object.entries(file.routes).map(([type, target]) => [type, ruleOf(target)])),
    default: file.default ?? (file.tiers.balanced ? 'balanced' : tiers[0]!.name),
    prices: pricesOf(file),
    caps: capsOf(file),
    budgets: file.budgets.map(
      ({ limitUsd, downgradeAtPercent = null, ...rest }, index): Budget => ({
        ...rest,
        limitMicroUsd: microUsd(limitUsd),
        downgradeAtPercent,
        place: origin.budgetPlaces[index]!,
      }),
    ),
    warnings: [],
  })
  return Object.freeze({ ...fromDefaults(file), table })
}

/** The configuration without a file: the table given, and the default of everything else. */
export function configWithoutFile(table: RoutingTable, defaults: DefaultsContent): Config {
  return Object.freeze({ ...fromDefaults(defaults), table })
}

export function withWarnings(config: Config, warnings: readonly string[]): Config {
  return Object.freeze({ ...config, table: Object.freeze({ ...config.table, warnings }) })
}

function fromDefaults(
  content: DefaultsContent,
): Pick<Config, 'limits' | 'retry' | 'workerConcurrency' | 'directories' | 'verifiers' | 'http'> {
  const { limits, tasks, retention, workers, directories, verifiers, http } = content
  const { retry, ...taskLimits } = tasks
  return {
    limits: Object.freeze({ ...limits, ...taskLimits, ...retention }),
    retry,
    workerConcurrency: workers.concurrency,
    directories: { allow: directories.allow ?? null },
    verifiers: new Map(Object.entries(verifiers)),
    http,
  }
}

/** Pure: its directories are as they are written. */
export function routingRuleOf({ when, ...target }: FileContent['rules'][number]): RoutingRule {
  const { type, key, directory, promptTokens } = when
  return {
    ...ruleOf(target),
    when: { types: listOf(type), keys: listOf(key), directories: listOf(directory), promptTokens },
  }
}

function listOf(value: string | readonly string[] | undefined): readonly string[] | undefined {
  return typeof value === 'string' ? [value] : value
}

function ruleOf(target: FileContent['routes'][string]): RouteRule {
  if (typeof target !== 'string') {
    const { tier = null, model = null, timeoutMs = null, maxCostUsd, ...limits } = target
    const maxCostMicroUsd = maxCostUsd === undefined ? null : microUsd(maxCostUsd)
    return { tier, model, timeoutMs, maxCostMicroUsd, ...definedOnly(limits) }
  }
  const isModel = target.includes('/')
  return {
    tier: isModel ? null : target,
    model: isModel ? (target as ModelID) : null,
    timeoutMs: null,
    maxCostMicroUsd: null,
  }
}

function capsOf({ models, keys }: FileContent): ReadonlyMap<string, Caps> {
  const caps = new Map<string, Caps>()
  for (const [name, limits] of Object.entries(models)) {
    const { concurrency = null, requestsPerMinute = null, tokensPerMinute = null } = limits
    const cap = { concurrency, requestsPerMinute, tokensPerMinute }
    if (isLimit(cap)) caps.set(`${name.includes('/') ? 'model' : 'provider'}:${name}`, cap)
  }
  for (const [name, { concurrency }] of Object.entries(keys))
    caps.set(`key:${name}`, { concurrency, requestsPerMinute: null, tokensPerMinute: null })
  return caps
}

/** zod says `undefined` for what is absent. */
function definedOnly<T extends object>(values: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as never
}

/** Those that the file gives. */
export function pricesOf({ models }: Pick<FileContent, 'models'>): ReadonlyMap<string, Price> {
  const prices = new Map<string, Price>()
  for (const [name, { price }] of Object.entries(models)) {
    if (!price) continue
    const bands = price.bands
      ?.map((band) => ({ aboveContextTokens: band.aboveContextTokens, ...ratesOf(band) }))
      .sort((a, b) => a.aboveContextTokens - b.aboveContextTokens)
    prices.set(name, { ...ratesOf(price), ...(bands && { bands }) })
  }
  return prices
}

function ratesOf(rates: {
  inputUsdPerMTok: number
  outputUsdPerMTok: number
  cacheReadUsdPerMTok?: number | undefined
  cacheWriteUsdPerMTok?: number | undefined
}): Rates {
  return {
    inputMicroUsdPerMTok: microUsd(rates.inputUsdPerMTok),
    outputMicroUsdPerMTok: microUsd(rates.outputUsdPerMTok),
    cacheReadMicroUsdPerMTok: microUsd(rates.cacheReadUsdPerMTok ?? rates.inputUsdPerMTok),
    cacheWriteMicroUsdPerMTok: microUsd(rates.cacheWriteUsdPerMTok ?? rates.inputUsdPerMTok),
  }
}

function microUsd(usd: number): number {
  return Math.round(usd * MICRO_USD_PER_USD)
}
