import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  checkDirectory,
  checkFileURL,
  checkOwnDirectory,
  ownDirectoryWarning,
} from '../../src/config/check-directory.ts'

let base: string
let root: string

beforeAll(async () => {
  base = await realpath(await mkdtemp(join(tmpdir(), 'tierline-dirs-')))
  root = join(base, 'work')
  for (const name of ['work', 'work/app', 'work2', 'other']) await mkdir(join(base, name))
  await writeFile(join(root, 'a b.txt'), '')
  await writeFile(join(base, 'other/secret.txt'), '')
  await symlink(join(base, 'other'), join(root, 'escape'))
  await symlink('app', join(root, 'inside'))
  await symlink('loop', join(root, 'loop'))
  await symlink(root, join(base, 'alias'))
})

afterAll(() => rm(base, { recursive: true }))

describe('checkDirectory()', () => {
  test('gives the real path of what lies within a root', async () => {
    expect(await checkDirectory(root, [root])).toBe(root)
    expect(await checkDirectory(join(root, 'app/'), [join(base, 'other'), root])).toBe(join(root, 'app'))
    expect(await checkDirectory(join(root, 'inside'), [root])).toBe(join(root, 'app'))
    expect(await checkDirectory(`${root}/app/../app/.`, [root])).toBe(join(root, 'app'))
  })

  test('compares by real path, of the root too', async () => {
    expect(await checkDirectory(join(base, 'alias/app'), [root])).toBe(join(root, 'app'))
    expect(await checkDirectory(join(root, 'app'), [join(base, 'alias')])).toBe(join(root, 'app'))
  })

  test('takes any existing directory without roots', async () => {
    expect(await checkDirectory(join(root, 'escape'), null)).toBe(join(base, 'other'))
    expect(await checkDirectory('/', null)).toBe('/')
  })

  test('takes everything below the root of the disk', async () => {
    expect(await checkDirectory(root, ['/'])).toBe(root)
  })

  test.each<[string, () => string, string]>([
    ['a link that leads out', () => join(root, 'escape'), 'directory_not_allowed'],
    ['dots that lead out', () => `${root}/../other`, 'directory_not_allowed'],
    ['a name that begins like the root', () => join(base, 'work2'), 'directory_not_allowed'],
    ['the parent of the root', () => base, 'directory_not_allowed'],
    ['what does not exist outside', () => join(base, 'none'), 'directory_not_allowed'],
    ['a missing one behind dots that lead out', () => `${root}/../none`, 'directory_not_allowed'],
    ['what does not exist inside', () => join(root, 'none'), 'directory_not_found'],
    ['a file', () => join(root, 'a b.txt'), 'directory_not_found'],
    ['a path through a file', () => join(root, 'a b.txt/x'), 'directory_not_found'],
    ['a link to itself', () => join(root, 'loop'), 'directory_not_found'],
    ['a name that is too long', () => join(root, 'x'.repeat(5000)), 'directory_not_found'],
    ['a null character', () => `${root}/\0`, 'directory_not_found'],
    ['a relative path', () => 'work/app', 'directory_not_absolute'],
    ['nothing', () => '', 'directory_not_absolute'],
    ['a home', () => '~/work', 'directory_not_absolute'],
  ])('refuses %s', async (_, path, code) => {
    await expect(checkDirectory(path(), [root], 'x.directory')).rejects.toMatchObject({
      code,
      errors: [expect.objectContaining({ field: 'x.directory', given: path() })],
    })
  })

  test('names the roots to who is outside of them', async () => {
    await expect(checkDirectory('/etc', [root])).rejects.toMatchObject({
      message: `Cannot use the directory "/etc": it is outside the directories that are allowed (${root})`,
      errors: [{ field: 'directory', allowed: [root] }],
    })
  })

  test('lets nobody in when no root exists', async () => {
    await expect(checkDirectory(root, [join(base, 'gone')])).rejects.toMatchObject({
      code: 'directory_not_allowed',
    })
    await expect(checkDirectory(root, [])).rejects.toMatchObject({ code: 'directory_not_allowed' })
  })
})

describe('checkFileURL()', () => {
  test('gives the real path of a file within a root', async () => {
    const url = pathToFileURL(join(root, 'a b.txt')).href
    expect(await checkFileURL(url, [root], 'f')).toBe(join(root, 'a b.txt'))
    expect(await checkFileURL(url, null, 'f')).toBe(join(root, 'a b.txt'))
  })

  test.each<[string, () => string, string]>([
    [
      'a file behind a link that leads out',
      () => `file://${root}/escape/secret.txt`,
      'directory_not_allowed',
    ],
    ['a file behind dots', () => `file://${root}/../other/secret.txt`, 'directory_not_allowed'],
    ['a file behind encoded dots', () => `file://${root}/%2e%2e/other/secret.txt`, 'directory_not_allowed'],
    ['a file that is not there', () => `file://${root}/none.txt`, 'invalid_input'],
    ['a file of another machine', () => 'file://host/share/a.txt', 'invalid_input'],
    ['an encoded slash', () => `file://${root}%2f..%2fother`, 'invalid_input'],
    ['another scheme', () => 'http://x/a.txt', 'invalid_input'],
    ['no URL', () => 'a b.txt', 'invalid_input'],
  ])('refuses %s', async (_, url, code) => {
    await expect(checkFileURL(url(), [root], 'messages.0.parts.1.url')).rejects.toMatchObject({
      code,
      errors: [expect.objectContaining({ field: 'messages.0.parts.1.url' })],
    })
  })
})

describe('checkOwnDirectory()', () => {
  test('gives the real path of what is inside, and the text of what this machine does not have', async () => {
    expect(await checkOwnDirectory(join(base, 'alias/app'), 's1', [root])).toBe(join(root, 'app'))
    expect(await checkOwnDirectory(join(root, 'elsewhere'), 's1', [root])).toBe(join(root, 'elsewhere'))
  })

  test.for(['other', 'root/escape', 'root/none/../..', 'none'])(
    'refuses %s, and says what to do',
    async (path) => {
      const directory = join(base, path)

      await expect(checkOwnDirectory(directory, 's1', [root])).rejects.toMatchObject({
        code: 'directory_not_allowed',
        message: `Cannot use the directory "${directory}", in which OpenCode "s1" works where none is named: it is outside the directories that are allowed (${root})`,
        errors: [
          {
            field: 'directory',
            message: 'must be named: that of OpenCode "s1" is outside the directories that are allowed',
            given: directory,
            allowed: [root],
          },
        ],
      })
    },
  )
})

describe('ownDirectoryWarning()', () => {
  test('is there for a directory outside of the roots, with the way out', async () => {
    expect(await ownDirectoryWarning(join(base, 'other'), [root])).toBe(
      `OpenCode works in "${join(base, 'other')}", which is outside the directories that are allowed (${root}): who names no directory is refused; start tierline in one of these, or name one with each task`,
    )
    expect(await ownDirectoryWarning(join(root, 'escape'), [root])).toContain('is outside')
    expect(await ownDirectoryWarning(base, [root])).toContain('is outside')
  })

  test('is not there inside, nor without roots', async () => {
    expect(await ownDirectoryWarning(join(base, 'alias/app'), [root])).toBeUndefined()
    expect(await ownDirectoryWarning('/', null)).toBeUndefined()
  })
})
