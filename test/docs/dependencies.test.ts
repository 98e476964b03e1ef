import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const SECTIONS = {
  dependencies: 'At run time',
  devDependencies: 'In a checkout',
  optionalDependencies: 'The Node of a checkout',
} as const

type Kind = keyof typeof SECTIONS

const page = readFileSync('docs/dependencies.md', 'utf8')
const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as Record<Kind, Record<string, string>>
const lock = JSON.parse(readFileSync('package-lock.json', 'utf8')) as {
  packages: Record<string, { license?: string }>
}

test.for(Object.keys(SECTIONS) as Kind[])(
  'docs/dependencies.md has the %s with their licences, and no others',
  (kind) => {
    expect(rowsOf(kind).map(([name, licence]) => [name, licence])).toEqual(
      Object.keys(manifest[kind])
        .sort()
        .map((name) => [`\`${name}\``, lock.packages[`node_modules/${name}`]!.license ?? 'not named']),
    )
  },
)

test('docs/dependencies.md gives a reason for each', () => {
  for (const kind of Object.keys(SECTIONS) as Kind[])
    for (const [, , reason] of rowsOf(kind)) expect(reason).toMatch(/\w{3}/)
})

function rowsOf(kind: Kind): string[][] {
  const [, after = ''] = page.split(`## ${SECTIONS[kind]}\n`)
  const [section = ''] = after.split('\n## ')
  const rows = section.split('\n').filter((line) => line.startsWith('| '))
  return rows.slice(2).map((line) =>
    line
      .split('|')
      .slice(1, 4)
      .map((cell) => cell.trim()),
  )
}
