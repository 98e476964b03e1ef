import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect } from 'vitest'
import { findOpenCode, platformPackages } from '../../src/services/find-opencode.ts'
import { test } from './service-test.ts'

const LINUX = { platform: 'linux', arch: 'x64', avx2: true, musl: false } as const

describe('platformPackages()', () => {
  test.for([
    [LINUX, ['opencode-linux-x64', 'opencode-linux-x64-baseline']],
    [{ ...LINUX, avx2: false }, ['opencode-linux-x64-baseline', 'opencode-linux-x64']],
    [{ ...LINUX, arch: 'arm64' }, ['opencode-linux-arm64']],
    [{ ...LINUX, arch: 'arm64', musl: true }, ['opencode-linux-arm64-musl', 'opencode-linux-arm64']],
    [{ ...LINUX, platform: 'darwin', arch: 'arm64' }, ['opencode-darwin-arm64']],
    [{ ...LINUX, platform: 'win32' }, ['opencode-windows-x64', 'opencode-windows-x64-baseline']],
  ] as const)('%o', ([machine, packages]) => {
    expect(platformPackages(machine)).toEqual(packages)
  })
})

describe('findOpenCode()', () => {
  test('finds the binary in the first directory that has it, or above', ({ directory }) => {
    const [first, second] = [install(join(directory, 'a')), install(join(directory, 'b'))]
    mkdirSync(join(directory, 'a', 'deep'))

    expect(findOpenCode([directory, join(directory, 'a', 'deep'), join(directory, 'b')], '')).toBe(first)
    expect(findOpenCode([directory, join(directory, 'b')], '')).toBe(second)
  })

  test('finds the binary that opencode-ai keeps to itself', ({ directory }) => {
    install(directory, '')
    const nested = install(join(directory, 'node_modules', 'opencode-ai'))

    expect(findOpenCode([directory], '')).toBe(nested)
  })

  test('takes the one on the PATH where none is installed', ({ directory }) => {
    const onPath = write(join(directory, 'bin', 'opencode'))

    expect(findOpenCode([directory], join(directory, 'bin'))).toBe(onPath)
  })

  test('says how to install it where there is none', ({ directory }) => {
    expect(() => findOpenCode([directory], join(directory, 'bin'))).toThrow(
      expect.objectContaining({
        code: 'service_not_found',
        message: expect.stringContaining('npm i -g opencode-ai'),
      }),
    )
  })
})

/** As npm does it; returns the binary, which is missing when `platformPackage` is empty. */
function install(directory: string, platformPackage = platformPackages(machine())[0]!): string {
  write(join(directory, 'node_modules', 'opencode-ai', 'package.json'))
  if (platformPackage === '') return ''
  write(join(directory, 'node_modules', platformPackage, 'package.json'))
  return write(join(directory, 'node_modules', platformPackage, 'bin', 'opencode'))
}

function machine() {
  return { ...LINUX, platform: process.platform, arch: process.arch }
}

function write(file: string): string {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, '{}', { mode: 0o755 })
  return file
}
