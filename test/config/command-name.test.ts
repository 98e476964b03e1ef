import { expect, test } from 'vitest'
import { commandName } from '../../src/config/command-name.ts'

test.each([
  ['a script of a checkout', { npm_package_name: 'tierline' }, 'npm run tierline --'],
  ['a script of another package', { npm_package_name: 'shop' }, 'tierline'],
  ['a shell', {}, 'tierline'],
])('commandName() in %s', (_where, environment, name) => {
  expect(commandName(environment)).toBe(name)
})
