/**
 * Completes package-lock.json with the platform packages that npm leaves out when its registry lacks them.
 *
 * `npm ci` refuses a lock without them, on every platform. Run it after each `npm install`.
 */
import { readFileSync, writeFileSync } from 'node:fs'

interface LockedPackage {
  version: string
  dev?: boolean
  optional?: boolean
  cpu?: string[]
  os?: string[]
  libc?: string[]
  optionalDependencies?: Record<string, string>
}

interface Lock {
  packages: Record<string, LockedPackage>
}

const OS = /\b(android|darwin|linux|win32|windows)\b/
const CPU = /\b(arm64|arm|x64)\b/

const lock = JSON.parse(readFileSync('package-lock.json', 'utf8')) as Lock
const missing = Object.values(lock.packages).flatMap((parent) =>
  Object.entries(parent.optionalDependencies ?? {})
    .filter(([name]) => lock.packages[`node_modules/${name}`] === undefined)
    .map(([name, version]) => [`node_modules/${name}`, entryOf(name, version, parent)] as const),
)
lock.packages = Object.fromEntries(
  [...Object.entries(lock.packages), ...missing].sort(([a], [b]) => a.localeCompare(b, 'en')),
)
writeFileSync('package-lock.json', `${JSON.stringify(lock, null, 2)}\n`)
console.log(`${missing.length} added${missing.map(([path]) => `\n  ${path}`).join('')}`)

/** From its name, as `opencode-linux-x64-musl`. No hash: npm takes the one that the registry names. */
function entryOf(name: string, version: string, { dev }: LockedPackage): LockedPackage {
  const os = OS.exec(name)?.[1]
  const cpu = CPU.exec(name)?.[1]
  if (os === undefined || cpu === undefined || !/^\d/.test(version))
    throw new Error(
      `Cannot lock "${name}" at "${version}": a platform, a CPU and an exact version are needed`,
    )
  return {
    version,
    cpu: [cpu],
    ...(dev && { dev }),
    ...(name.endsWith('-musl') && { libc: ['musl'] }),
    optional: true,
    os: [os === 'windows' ? 'win32' : os],
  }
}
