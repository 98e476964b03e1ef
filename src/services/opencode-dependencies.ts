/**
 * What OpenCode installs in its configuration directories before it loads a plugin from anywhere, ours too: an npm
 * install that every first start waits for, and that fails slowly where there is no network. Ours needs none of it.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const PACKAGE = '@opencode-ai/plugin'

/** True when OpenCode has installed what it wants there, and so will not again. */
export function hasDependencies(directory: string): boolean {
  if (!existsSync(join(directory, 'node_modules'))) return false
  try {
    const lock = JSON.parse(readFileSync(join(directory, 'package-lock.json'), 'utf8'))
    return PACKAGE in (lock?.packages?.['']?.dependencies ?? {})
  } catch {
    return false
  }
}

/** Makes a directory of our own look as if they were installed. */
export function pretendDependencies(directory: string): void {
  mkdirSync(join(directory, 'node_modules'), { recursive: true, mode: 0o700 })
  const dependencies = { [PACKAGE]: '*' }
  const lock = { name: 'opencode', lockfileVersion: 3, requires: true, packages: { '': { dependencies } } }
  writeFileSync(join(directory, 'package.json'), JSON.stringify({ dependencies }))
  writeFileSync(join(directory, 'package-lock.json'), JSON.stringify(lock))
}
