import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { platformPackages } from '../../src/services/find-opencode.ts'
import { endWithTest } from '../setup/end-with-test.ts'
import { eventually } from '../setup/eventually.ts'
import { processesOf } from '../setup/processes.ts'
import { createHome } from '../setup/tierline-process.ts'

const BIN = join(import.meta.dirname, '../../src/cli/bin.js')

// An OpenCode that hangs is waited for a minute.
test('a Ctrl-C is heard while OpenCode starts', { timeout: 50_000 }, async () => {
  const home = await createHome()
  onTestFinished(home.remove)
  installHanging(join(home.dir, 'project'))
  const up = spawn(process.execPath, [BIN, 'up'], {
    cwd: join(home.dir, 'project'),
    env: home.env,
    stdio: 'ignore',
  })
  endWithTest(up)
  await eventually(() =>
    expect(processesOf(home.dir).map(({ command }) => command)).toContainEqual(
      expect.stringContaining('bin/opencode'),
    ),
  )

  up.kill('SIGINT')

  expect(await once(up, 'exit')).toEqual([130, null])
  expect(processesOf(home.dir)).toEqual([])
})

function installHanging(directory: string): void {
  const { platform, arch } = process
  const names = ['opencode-ai', ...platformPackages({ platform, arch, avx2: true, musl: false })]
  for (const name of names) {
    const root = join(directory, 'node_modules', name)
    mkdirSync(join(root, 'bin'), { recursive: true })
    writeFileSync(join(root, 'package.json'), JSON.stringify({ name }))
    writeFileSync(join(root, 'bin/opencode'), '#!/bin/sh\nwhile true; do sleep 1; done\n', { mode: 0o755 })
  }
}
