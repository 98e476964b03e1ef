import { readFile } from 'node:fs/promises'
import { setFlagsFromString } from 'node:v8'
import type { ValkeyInternals } from './valkey-internals.ts'

/**
 * Of calls before V8 compiles a function anew, for speed. By its own measure, 130 times this, a tenth of the time was
 * spent in functions that it had compiled in haste, still after 5,000 jobs.
 */
const BUDGET = '--wasm-tiering-budget=100000'

/** @throws {Error} when the file is not there, or is no module. */
export async function instantiateModule(
  path: string,
  imports: WebAssembly.Imports,
): Promise<ValkeyInternals['instance']> {
  setFlagsFromString(BUDGET)
  const module = await WebAssembly.compile(await readFile(path))
  const tag = new WebAssembly.Tag({ parameters: ['i32'] }) as unknown as WebAssembly.ImportValue
  return (await WebAssembly.instantiate(module, {
    ...imports,
    // What a script's error is thrown with.
    env: { __c_longjmp: tag },
  })) as ValkeyInternals['instance']
}
