/** Worktrees of a real OpenCode and a real git. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { SessionBackend } from '../../src/sessions/backend.ts'
import { createOpenCodeBackend } from '../../src/sessions/opencode/backend.ts'
import { type ScriptedProvider, startScriptedProvider } from '../provider/server.ts'
import { commit, git } from '../setup/git.ts'
import { type OpenCodeServer, startOpenCodeServer } from '../setup/opencode-server.ts'

const { signal } = new AbortController()
let provider: ScriptedProvider
let server: OpenCodeServer
let backend: SessionBackend
let repository: string

beforeAll(async () => {
  provider = await startScriptedProvider()
  server = await startOpenCodeServer({ providerUrl: provider.url })
  backend = createOpenCodeBackend({ server: 'local', ...server })
  repository = join(server.directory, 'repository')
  mkdirSync(join(repository, 'sub'), { recursive: true })
  git(repository, 'init', '-q', '-b', 'main')
  writeFileSync(join(repository, 'kept.txt'), 'one\ntwo\n')
  writeFileSync(join(repository, 'sub/gone.txt'), 'gone\n')
  writeFileSync(join(repository, '.gitignore'), 'ignored\n')
  commit(repository)
}, 120_000)

afterAll(async () => {
  await backend?.close()
  await server?.stop()
  await provider?.close()
}, 60_000)

test('has all files when it is open, at the same place in the copy, and is found again', async () => {
  const request = { name: 'tierline-one', directory: join(repository, 'sub') }
  const worktree = await backend.openWorktree(request, signal)

  expect(worktree.directory).toBe(join(worktree.root, 'sub'))
  expect(readFileSync(join(worktree.directory, 'gone.txt'), 'utf8')).toBe('gone\n')
  expect(worktree.base).toBe(git(repository, 'rev-parse', 'HEAD').trim())
  expect(await backend.openWorktree(request, signal)).toEqual(worktree)

  await backend.removeWorktree(request)
  await backend.removeWorktree(request)
  expect(existsSync(worktree.root)).toBe(false)
  expect(git(repository, 'branch', '--list', 'opencode/*')).toBe('')
})

test('is made although another is being made at the same time, which git cannot read yet', async () => {
  const halfMade = join(repository, '.git/worktrees/half-made')
  mkdirSync(halfMade, { recursive: true })
  writeFileSync(join(halfMade, 'commondir'), '')
  writeFileSync(join(halfMade, 'gitdir'), join(server.directory, 'half-made/.git'))
  writeFileSync(join(halfMade, 'HEAD'), 'ref: refs/heads/half-made')
  let refusals = 0
  const proxy = createServer(async (request, response) => {
    const { method = 'GET', url = '', headers } = request
    const body = method === 'GET' ? null : await text(request)
    const answer = await fetch(server.url + url, { method, body, headers: headers as Record<string, string> })
    if (url.startsWith('/experimental/worktree') && answer.status === 400) {
      refusals += 1
      // Now it is made, or gone.
      rmSync(halfMade, { recursive: true })
    }
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(await answer.text())
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`
  const behind = createOpenCodeBackend({ server: 'local', ...server, url })
  const request = { name: 'tierline-beside', directory: repository }
  try {
    const { root } = await behind.openWorktree(request, signal)
    expect(refusals).toBe(1)
    expect(existsSync(join(root, 'kept.txt'))).toBe(true)
  } finally {
    await behind.removeWorktree(request)
    await behind.close()
    proxy.closeAllConnections()
    proxy.close()
  }
})

test.each([
  ['git', (base: string | null) => base],
  ['OpenCode, where its files are out of reach', () => null],
])('tells by %s what was changed: edits, commits, new and removed files', async (_who, baseOf) => {
  const request = { name: 'tierline-diff', directory: repository }
  const worktree = await backend.openWorktree(request, signal)
  const { root } = worktree
  expect(await diff()).toBe('')

  writeFileSync(join(root, 'kept.txt'), 'one\n2\n')
  commit(root)
  rmSync(join(root, 'sub/gone.txt'))
  writeFileSync(join(root, 'new.txt'), 'new\n')
  writeFileSync(join(root, 'ignored'), 'x')
  writeFileSync(join(repository, 'kept.txt'), 'of somebody else\n')
  const patch = await diff()
  git(repository, 'checkout', '-q', 'kept.txt')
  await backend.removeWorktree(request)

  expect(patch.match(/^diff --git .*$/gm)?.toSorted()).toEqual([
    'diff --git a/kept.txt b/kept.txt',
    'diff --git a/new.txt b/new.txt',
    'diff --git a/sub/gone.txt b/sub/gone.txt',
  ])
  expect(patch).toContain('-two\n+2\n')
  execFileSync('git', ['apply', '--check', '-'], { cwd: repository, input: patch })

  function diff(): Promise<string> {
    return backend.worktreeDiff({ ...worktree, base: baseOf(worktree.base) }, repository)
  }
})

test('of a folder without a repository, or without a commit, is refused', async () => {
  const empty = join(server.directory, 'empty')
  mkdirSync(empty)
  const open = (directory: string) => backend.openWorktree({ name: 'tierline-none', directory }, signal)

  await expect(open(empty)).rejects.toMatchObject({ code: 'not_a_git_repository' })
  // Another one: OpenCode remembers that a folder is no repository.
  const young = join(server.directory, 'young')
  mkdirSync(young)
  git(young, 'init', '-q')
  await expect(open(young)).rejects.toMatchObject({
    code: 'worktree_failed',
    message: expect.stringContaining('no commit yet'),
  })
  for (const directory of [empty, young]) await backend.removeWorktree({ name: 'tierline-none', directory })
})
