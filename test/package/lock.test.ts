/** `npm ci` refuses a lock that lacks a platform's package, on every platform. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

interface LockedPackage {
  version?: string
  resolved?: string
  hasInstallScript?: boolean
  dependencies?: Record<string, string>
  optionalDependencies?: Record<string, string>
}

const lock = JSON.parse(readFileSync('package-lock.json', 'utf8')) as {
  packages: Record<string, LockedPackage>
}
const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as { allowScripts: Record<string, boolean> }

test('package-lock.json has the packages of every platform; "npm run lock-platforms" adds what is missing', () => {
  const wanted = Object.values(lock.packages).flatMap(({ optionalDependencies = {} }) =>
    Object.keys(optionalDependencies),
  )
  expect(wanted.filter((name) => !(`node_modules/${name}` in lock.packages))).toEqual([])
})

test('package-lock.json names no registry', () => {
  expect(Object.values(lock.packages).filter(({ resolved }) => resolved !== undefined)).toEqual([])
})

test('no install script is run: what has one works without', () => {
  const scripted = Object.entries(lock.packages)
    .filter(([, { hasInstallScript }]) => hasInstallScript)
    .map(([path]) => path.split('node_modules/').at(-1)!)
  const denied = Object.entries(manifest.allowScripts).filter(([, allowed]) => !allowed)
  expect(new Set(scripted.filter((name) => name !== 'fsevents'))).toEqual(
    new Set(denied.map(([name]) => name)),
  )
})
