import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { TierlineError } from '../errors.ts'
import { findOnPath } from './find-on-path.ts'

export interface Machine {
  platform: NodeJS.Platform
  arch: string
  avx2: boolean
  musl: boolean
}

/**
 * The `opencode` binary: from `opencode-ai` in the node_modules of these directories or above, the first one
 * first, else on the PATH.
 *
 * @throws {TierlineError} `service_not_found`, with the command that installs it.
 */
export function findOpenCode(directories: readonly string[], path: string | undefined): string {
  const machine = thisMachine()
  const found =
    directories.map((directory) => findInstalled(join(directory, 'package.json'), machine)).find(Boolean) ??
    findOnPath(binaryName(machine), path)
  if (found !== undefined) return found
  throw new TierlineError(
    'service_not_found',
    'Cannot find "opencode": it is neither in node_modules nor on the PATH, must be installed: ' +
      'npm i -g opencode-ai. Or set OPENCODE_URL to a server that runs.',
  )
}

/** The packages that may hold the binary for a machine, best first; all but one are usually not installed. */
export function platformPackages({ platform, arch, avx2, musl }: Machine): string[] {
  const base = `opencode-${platform === 'win32' ? 'windows' : platform}-${arch}`
  const builds = arch !== 'x64' ? [''] : avx2 ? ['', '-baseline'] : ['-baseline', '']
  const libraries = platform === 'linux' && musl ? ['-musl', ''] : ['']
  return libraries.flatMap((library) => builds.map((build) => `${base}${build}${library}`))
}

/** As seen from a file: its own node_modules and those above. */
function findInstalled(fromFile: string, machine: Machine): string | undefined {
  const wrapper = resolvePackage('opencode-ai', fromFile)
  return platformPackages(machine)
    .flatMap((name) => [wrapper && resolvePackage(name, wrapper), resolvePackage(name, fromFile)])
    .filter((manifest) => manifest !== undefined)
    .map((manifest) => join(dirname(manifest), 'bin', binaryName(machine)))
    .find(existsSync)
}

function binaryName({ platform }: Machine): string {
  return platform === 'win32' ? 'opencode.exe' : 'opencode'
}

function resolvePackage(name: string, fromFile: string): string | undefined {
  try {
    return createRequire(fromFile).resolve(`${name}/package.json`)
  } catch {
    return undefined
  }
}

function thisMachine(): Machine {
  const { platform, arch } = process
  return { platform, arch, avx2: platform !== 'linux' || hasAvx2(), musl: existsSync('/etc/alpine-release') }
}

/** Without it the ordinary build dies at once with SIGILL. */
function hasAvx2(): boolean {
  try {
    return /\bavx2\b/.test(readFileSync('/proc/cpuinfo', 'utf8'))
  } catch {
    return true
  }
}
