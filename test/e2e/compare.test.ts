/** A comparison of models that write, judged by a verifier of the file: real worktrees, the real command line. */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { ComparisonRow } from '../../src/client/index.ts'
import { commit, git } from '../setup/git.ts'
import { runTierline } from '../setup/tierline-process.ts'
import { startUp } from '../setup/tierline-up.ts'

const CONFIG = `tiers:
  fast: { models: [acme/nano, acme/mini], concurrency: 1 }
  powerful: { models: [acme/big] }
default: fast
verifiers:
  has-made-it: { run: [test, -f, made.txt] }
`

const system = startUp(CONFIG, ({ dir }) => {
  const project = join(dir, 'project')
  writeFileSync(join(project, 'kept.txt'), 'kept\n')
  git(project, 'init', '-q')
  commit(project)
  return undefined
})

test('tierline compare: each model changes a worktree of its own, is judged there, and leaves nothing', {
  timeout: 300_000,
}, async () => {
  const { home, up } = system
  const project = join(home.dir, 'project')
  const command = 'echo $(basename $PWD) > made.txt; echo more >> kept.txt'
  const prompt = `#task-compare\n@tool bash ${JSON.stringify({ command, description: 'make' })}\n@say: made`

  const { code, stdout, stderr } = await runTierline(home, [
    ...['compare', prompt, '--models', 'acme/nano,acme/mini,acme/big', '--dir', project],
    ...['--verify', 'has-made-it', '--json', '--url', up.ready.url],
  ])

  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  const rows = JSON.parse(stdout).result.comparison as ComparisonRow[]
  expect(rows.map(({ model, state, text, verdict }) => [model, state, text, verdict])).toEqual(
    ['acme/nano', 'acme/mini', 'acme/big'].map((model) => [
      ...[model, 'succeeded', 'made'],
      { passed: true, by: 'has-made-it', detail: '' },
    ]),
  )
  for (const { diff, taskID, firstTokenMs, totalMs } of rows) {
    expect(diff).toContain(`+tierline-${taskID!.slice(4)}`)
    expect(diff).toContain(' kept\n+more')
    execFileSync('git', ['apply', '--check', '-'], { cwd: project, input: diff! })
    expect(totalMs).toBeGreaterThan(firstTokenMs!)
  }
  // One model each, and nothing of it in the directory itself.
  const models = home.provider.ledger.paid({ marker: 'task-compare' }).map(({ model }) => model)
  expect(new Set(models)).toEqual(new Set(['acme/nano', 'acme/mini', 'acme/big']))
  expect(models).toHaveLength(6)
  expect([existsSync(join(project, 'made.txt')), readFileSync(join(project, 'kept.txt'), 'utf8')]).toEqual([
    false,
    'kept\n',
  ])
  expect(git(project, 'worktree', 'list').trim().split('\n')).toHaveLength(1)
  expect(git(project, 'branch', '--list', 'opencode/*')).toBe('')
})

test('tierline compare refuses a directory that is no repository before anything is paid', async () => {
  const { home, up } = system
  const { code, stderr } = await runTierline(home, [
    ...['compare', 'Hello', '--tiers', 'fast,powerful', '--dir', home.dataDir, '--url', up.ready.url],
  ])

  expect(code).toBe(2)
  expect(stderr).toContain('is in no git repository')
})
