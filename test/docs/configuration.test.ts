import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { fileJsonSchema } from '../../src/config/json-schema.ts'
import { parseFile } from '../../src/config/parse-file.ts'
import { VARIABLE_NAMES, VARIABLES } from '../../src/config/variables.ts'
import { BUILTIN_ROUTES } from '../../src/routing/builtin-routes.ts'

/** The part of a JSON Schema that is read here. */
interface Schema {
  type?: string
  description?: string
  default?: unknown
  minimum?: number
  maximum?: number
  enum?: string[]
  properties?: Record<string, Schema>
  additionalProperties?: Schema | false
  anyOf?: Schema[]
  items?: Schema
}

const page = readFileSync('docs/configuration.md', 'utf8')

test('docs/tierline.schema.json is made from the schema of the file', async () => {
  await expect(fileJsonSchema()).toMatchFileSnapshot('../../docs/tierline.schema.json')
})

test('docs/configuration.md has every key with default, range and meaning, and no other', () => {
  const rows = rowsBetween('keys').slice(2)

  expect(rows).toEqual(keysOf(JSON.parse(fileJsonSchema()) as Schema, '').map(rowOf))
})

test('docs/configuration.md has every variable with flag and default, and no other', () => {
  const rows = rowsBetween('variables').slice(2)

  expect(
    rows.map((row) =>
      row
        .split('|')
        .slice(1, 4)
        .map((cell) => cell.trim()),
    ),
  ).toEqual(
    VARIABLE_NAMES.map((name) => {
      const { flag, secret, default: fallback } = VARIABLES[name]
      const words = flag?.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
      return [
        secret ? `\`${name}\` or \`${name}_FILE\`` : `\`${name}\``,
        words ? `\`--${words}\`` : '',
        fallback === null ? '' : `\`${fallback}\``,
      ]
    }),
  )
})

test('docs/configuration.md shows a file that is good', () => {
  const examples = [...page.matchAll(/^```yaml\n(.*?)^```/gms)].map(([, text]) => text!)

  expect(examples.length).toBeGreaterThan(0)
  for (const text of examples)
    expect(parseFile(text, { path: 'docs', generation: 1 })).toMatchObject({
      status: 'valid',
      config: { table: { warnings: [] } },
    })
})

test('docs/configuration.md names every built-in route', () => {
  const [, section = ''] = page.split('### Without a file')

  for (const [tier, types] of Object.entries(BUILTIN_ROUTES)) {
    const list = types.map((type) => `\`${type}\``).join(', ')
    expect(section.replace(/\s+/g, ' ')).toContain(`${list} → \`${tier}\``)
  }
})

function rowsBetween(marker: string): string[] {
  const [, inside = ''] = page.split(new RegExp(`<!-- /?${marker}[^>]*-->`))
  return inside.trim().split('\n')
}

/** Every key that is a value, or has a meaning beyond its parts. */
function keysOf(schema: Schema, path: string): [key: string, schema: Schema][] {
  const here = (key: string) => (path === '' ? key : `${path}.${key}`)
  const own = Object.entries(schema.properties ?? {}).flatMap(([key, value]) => [
    ...(value.description || isLeaf(value) ? [[here(key), value] as [string, Schema]] : []),
    ...keysOf(value, here(key)),
  ])
  const named = schema.additionalProperties || undefined
  return [
    ...own,
    ...(named?.anyOf ?? (named ? [named] : [])).flatMap((value) => keysOf(value, `${path}.NAME`)),
    ...(schema.items ? keysOf(schema.items, `${path}[]`) : []),
  ]
}

function isLeaf({ properties, additionalProperties, items }: Schema): boolean {
  return !properties && !additionalProperties && !items?.properties
}

function rowOf([key, schema]: [string, Schema]): string {
  const { minimum, maximum, description } = schema
  const value = isLeaf(schema) ? schema.default : undefined
  const shown = value === undefined ? '' : `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``
  const range = schema.enum?.join(', ') ?? (minimum === undefined ? '' : `${minimum} to ${maximum}`)
  return `| \`${key}\` | ${shown} | ${range} | ${description} |`.replace(/ {2,}/g, ' ')
}
