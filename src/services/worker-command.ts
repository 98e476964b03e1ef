import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'

/** How to run one of the files in workers/: under this Node, from the sources or from what was built of them. */
export function workerCommand(role: 'guardian' | 'valkey'): { command: string; args: string[] } {
  const file = new URL(`../../workers/${role}${extname(import.meta.url)}`, import.meta.url)
  // WASI, and on older versions running TypeScript, print a warning that says nothing to anybody here.
  return { command: process.execPath, args: ['--disable-warning=ExperimentalWarning', fileURLToPath(file)] }
}
