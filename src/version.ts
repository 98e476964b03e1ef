import { readFileSync } from 'node:fs'

/** Of the package: `0.1.0`. Its manifest lies above `src/`, in a checkout as in the built package. */
export const version: string = (
  JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }
).version
