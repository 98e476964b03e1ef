import type { HeadlessRule } from './wire.ts'

/**
 * Lets a session do everything but ask a person. The order matters: the last rule that fits decides.
 *
 * Children inherit only denials and rules on external directories, hence the second one; what else they
 * may do is up to the server's configuration.
 */
export const HEADLESS_RULES: readonly HeadlessRule[] = [
  { permission: '*', pattern: '*', action: 'allow' },
  { permission: 'external_directory', pattern: '*', action: 'allow' },
  { permission: 'question', pattern: '*', action: 'deny' },
]
