/** What the pages tell a reader to type, set or open must exist. */
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Command } from 'commander'
import { expect, test } from 'vitest'
import manifest from '../../package.json' with { type: 'json' }
import { createProgram } from '../../src/cli/program.ts'
import { createTerminal } from '../../src/cli/terminal.ts'
import { parseFile } from '../../src/config/parse-file.ts'
import { VARIABLES } from '../../src/config/variables.ts'

/** A variable of the examples and none of tierline's. */
const OF_EXAMPLES = 'TIERLINE_URL'

/** Of docker-compose.yml. */
const OF_COMPOSE = new Set(
  [...readFileSync('.env.example', 'utf8').matchAll(/^#?([A-Z_]+)=/gm)].map(([, name]) => name!),
)

const PAGES = globSync(['*.md', 'docs/**/*.md', 'examples/*.md', 'bench/*.md'])
const program = createProgram({
  terminal: createTerminal({
    stdout: process.stdout,
    stderr: process.stderr,
    dumb: true,
    command: 'tierline',
  }),
  settings: {
    url: undefined,
    apiKey: undefined,
    dataDir: '',
    userDirectory: '',
    debug: false,
    dumbTerminal: true,
  },
  exitCode: 0,
})

test('README.md has the two commands, each on a line of its own', () => {
  const lines = read('README.md').split('\n')

  expect(lines).toContain('npm ci && npm run demo')
  expect(lines).toContain('npm ci && npm test')
})

test('README.md names every command of tierline', () => {
  const commands = allCommands(program).filter(({ commands }) => commands.length === 0 || hasAction(commands))

  expect(commands.length).toBeGreaterThan(15)
  expect(commands.map(pathOf).filter((path) => !read('README.md').includes(`\`${path}\``))).toEqual([])
})

test('pages name only commands and flags of tierline that exist', () => {
  const strays = eachPage((page) =>
    codeOf(page).flatMap((code) =>
      [...code.matchAll(/(?:^|\s)(?:npm run tierline --|tierline) +([a-z][^\n|;&$#]*)/g)].flatMap(
        ([, line]) => straysIn(line!),
      ),
    ),
  )

  expect(strays).toEqual([])
})

test('pages name only npm scripts that exist', () => {
  const scripts = Object.keys(manifest.scripts)

  const strays = eachPage((page) =>
    [
      ...codeOf(page)
        .join('\n')
        .matchAll(/\bnpm (?:run (?:--silent )?([\w-]+)|(start|test)\b)/g),
    ]
      .map(([, run, short]) => run ?? short!)
      .filter((name) => !scripts.includes(name)),
  )

  expect(strays).toEqual([])
})

test('pages name only environment variables that exist', () => {
  const strays = eachPage((page) =>
    (read(page).match(/\b(TIERLINE|REDIS|OPENCODE_SERVER|LOG)_[A-Z_]+\b|\bOPENCODE_URL\w*/g) ?? []).filter(
      (name) => !isVariable(name),
    ),
  )

  expect(strays).toEqual([])
})

test('pages link only to what exists', () => {
  const strays = eachPage((page) =>
    [...read(page).matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, target]) => target!)
      .filter((link) => !/^https?:/.test(link) && !leadsSomewhere(page, link)),
  )

  expect(strays).toEqual([])
})

test('docs/decisions/README.md lists every decision', () => {
  const listed = [...read('docs/decisions/README.md').matchAll(/\((\d{4}-[\w-]+\.md)\)/g)].map(
    ([, name]) => name!,
  )

  expect(listed).toEqual(globSync('*.md', { cwd: 'docs/decisions', exclude: ['README.md'] }).sort())
})

test('README.md shows a routing table that is good', () => {
  const tables = [...read('README.md').matchAll(/^```yaml\n(.*?)^```/gms)].map(([, text]) => text!)

  expect(tables).toHaveLength(1)
  expect(parseFile(tables[0]!, { path: 'README.md', generation: 1 })).toMatchObject({
    status: 'valid',
    config: { table: { warnings: [] } },
  })
})

test('comments name only pages and headings that exist', () => {
  const named = globSync('{src,workers,bench,examples,scripts}/**/*.{ts,js,lua,sh}').flatMap((file) =>
    [...read(file).matchAll(/^\W*(?:\*|\/\/|#|--).*?\b(docs\/[\w./-]+\.md|[A-Z]+\.md)(?: "([^"]+)")?/gm)].map(
      ([, name, heading]) => ({ file, name: name!, heading }),
    ),
  )

  expect(named.length).toBeGreaterThan(5)
  expect(
    named.filter(
      ({ name, heading }) =>
        !existsSync(name) || (heading !== undefined && !headingsOf(name).includes(heading)),
    ),
  ).toEqual([])
})

/** What `find` finds wrong, with the page it is on. */
function eachPage(find: (page: string) => readonly string[]): string[] {
  return PAGES.flatMap((page) => find(page).map((stray) => `${page}: ${stray}`))
}

function read(file: string): string {
  return readFileSync(file, 'utf8')
}

/** Inline code, and blocks of shell commands. */
function codeOf(page: string): string[] {
  const text = read(page)
  const blocks = [...text.matchAll(/^```(\w*)[^\n]*\n(.*?)^```/gms)]
  const commands = blocks.filter(([, language]) => language === 'sh').map(([, , code]) => code!)
  const prose = blocks.reduce((rest, [block]) => rest.replace(block, ''), text)
  return [...commands, ...[...prose.matchAll(/`([^`\n]+)`/g)].map(([, code]) => code!)]
}

/** `config check --jsn` → `['config check --jsn']`; nothing when the command and its flags exist. */
function straysIn(line: string): string[] {
  const words = line.trim().split(/\s+/)
  let command = program
  for (const word of words) {
    const next = command.commands.find((one) => one.name() === word)
    if (next === undefined) break
    command = next
  }
  if (command === program || (command.commands.length > 0 && !hasAction(command.commands))) return [line]
  const flags = words.filter((word) => word.startsWith('--')).map((word) => word.split('=')[0]!)
  const known = ['--help', ...command.options.map(({ long }) => long)]
  return flags.filter((flag) => !known.includes(flag)).map((flag) => `${pathOf(command)} ${flag}`)
}

function allCommands(command: Command): Command[] {
  return command.commands.flatMap((one) => [one, ...allCommands(one)])
}

/** `routes` does something by itself, `config` does not: all its work is in the commands below it. */
function hasAction(below: readonly Command[]): boolean {
  return below.every((one) => one.parent!.options.length > 0)
}

function pathOf(command: Command): string {
  return command.parent ? `${pathOf(command.parent)} ${command.name()}` : command.name()
}

function isVariable(name: string): boolean {
  if (name === OF_EXAMPLES || OF_COMPOSE.has(name) || Object.hasOwn(VARIABLES, name)) return true
  const secret = Object.entries(VARIABLES).find(([variable]) => name === `${variable}_FILE`)
  return secret?.[1].secret ?? false
}

/** A file, or a heading in a page. */
function leadsSomewhere(page: string, link: string): boolean {
  const [path = '', anchor] = link.split('#')
  const target = path === '' ? page : join(dirname(page), path)
  if (!existsSync(target)) return false
  return anchor === undefined || anchorsOf(target).includes(anchor)
}

/** As GitHub makes them of headings. */
function anchorsOf(page: string): string[] {
  return headingsOf(page).map((heading) =>
    heading
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  )
}

function headingsOf(page: string): string[] {
  return [...read(page).matchAll(/^#+ (.+)$/gm)].map(([, heading]) => heading!)
}
