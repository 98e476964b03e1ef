import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { checkRepository } from '../../src/config/check-repository.ts'

test('checkRepository() takes what lies in a repository or a worktree, and nothing else', async () => {
  const root = await mkdtemp(join(tmpdir(), 'tierline-repository-'))
  onTestFinished(() => rm(root, { recursive: true }))
  for (const path of ['plain', 'repository/.git', 'repository/a/b', 'worktree'])
    await mkdir(join(root, path), { recursive: true })
  await writeFile(join(root, 'worktree/.git'), 'gitdir: /elsewhere')

  await checkRepository(join(root, 'repository'))
  await checkRepository(join(root, 'repository/a/b'))
  await checkRepository(join(root, 'worktree'))
  await expect(checkRepository(join(root, 'plain'))).rejects.toMatchObject({
    code: 'not_a_git_repository',
    errors: [{ field: 'directory', given: join(root, 'plain') }],
  })
})
