#!/usr/bin/env node
// Plain JavaScript, so that a Node that is too old can still read it and say what it needs.
import { existsSync } from 'node:fs'
import module from 'node:module'

const [major, minor] = process.versions.node.split('.').map(Number)

if (major > 22 || (major === 22 && minor >= 18)) {
  // Halves the time to start. Does nothing where it cannot write.
  module.enableCompileCache()
  // The published package is built; a checkout runs as it is.
  const source = new URL('./main.ts', import.meta.url)
  import(existsSync(source) ? source.href : new URL('./main.js', import.meta.url).href).then(({ main }) =>
    main(process.argv),
  )
} else {
  process.stderr.write(
    [
      `tierline needs Node 22.18 or newer, and this is Node ${process.versions.node} (${process.execPath}).`,
      'Inside a checkout of tierline "npm ci" brings Node 24 along, and every npm script runs on it:',
      '  npm start                        starts everything',
      '  npm run demo                     shows it at work',
      '  npm run tierline -- COMMAND …    any command: npm run tierline -- submit "Hello"',
      '',
    ].join('\n'),
  )
  process.exitCode = 2
}
