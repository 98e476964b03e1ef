/** The tiers and routes that hold when there is no file. */

export const BUILTIN_TIERS = ['fast', 'balanced', 'powerful'] as const
export type BuiltinTier = (typeof BUILTIN_TIERS)[number]

export const BUILTIN_DEFAULT: BuiltinTier = 'balanced'

/** Tier → the task types that go to it. */
export const BUILTIN_ROUTES = {
  fast: ['format', 'lint', 'triage', 'summarize'],
  balanced: ['test', 'docs', 'review', 'translate'],
  powerful: ['analysis', 'architecture', 'security'],
} as const satisfies Record<BuiltinTier, readonly string[]>
