import { tmpdir } from 'node:os'
import { expect, test } from 'vitest'
import { commandName, userDirectory } from '../../src/config/command-name.ts'

const CHECKOUT = {
  npm_package_name: 'tierline',
  npm_package_json: '/srv/tierline/package.json',
  npm_command: 'run',
  npm_lifecycle_event: 'tierline',
  INIT_CWD: '/srv/tierline',
}

test.each([
  ['a script of a checkout', CHECKOUT, '/srv/tierline', 'npm run tierline --', '/srv/tierline'],
  [
    'the same from a folder of it',
    { ...CHECKOUT, INIT_CWD: '/srv/tierline/docs' },
    ...['/srv/tierline', 'npm run tierline --', '/srv/tierline/docs'],
  ],
  [
    'the same from elsewhere',
    { ...CHECKOUT, INIT_CWD: '/work/shop' },
    ...['/srv/tierline', 'npm --prefix /srv/tierline run tierline --', '/work/shop'],
  ],
  ['an agent of a tierline that was started so', CHECKOUT, '/work/shop', 'tierline', '/work/shop'],
  [
    'a script of another package',
    { ...CHECKOUT, npm_package_name: 'shop', npm_package_json: '/work/shop/package.json' },
    ...['/work/shop', 'tierline', '/work/shop'],
  ],
  [
    'npx',
    { ...CHECKOUT, npm_command: 'exec', npm_lifecycle_event: 'npx', INIT_CWD: '/work/shop' },
    ...['/work/shop', 'npx tierline', '/work/shop'],
  ],
  ['a shell', {}, tmpdir(), 'tierline', tmpdir()],
] as [string, Record<string, string>, string, string, string][])(
  'commandName() and userDirectory() in %s',
  (_where, environment, cwd, name, directory) => {
    expect(commandName(environment, cwd)).toBe(name)
    expect(userDirectory(environment, cwd)).toBe(directory)
  },
)
