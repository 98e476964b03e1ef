/**
 * Builds the package that is published, a directory with a manifest of its own: `node scripts/build.ts [DIRECTORY]`.
 *
 * The files lie as in the sources, so that what is found by a path is found in both.
 */
import { execFileSync } from 'node:child_process'
import { cpSync, globSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

/** What goes in as it is. */
const COPIED = ['LICENSE', '*.md', 'docs/**/*.{md,json,svg,png}', 'src/**/*.{lua,js}']

const root = join(import.meta.dirname, '..')
const target = resolve(process.argv[2] ?? join(root, 'dist'))

rmSync(target, { recursive: true, force: true })
compile()
for (const file of globSync(COPIED, { cwd: root })) cpSync(join(root, file), join(target, file))
writeFileSync(join(target, 'package.json'), `${JSON.stringify(publishedManifest(), null, 2)}\n`)
console.log(`Built ${target}`)

function compile(): void {
  const tsc = join(root, 'node_modules/typescript/bin/tsc')
  execFileSync(process.execPath, [tsc, '-p', 'tsconfig.build.json', '--outDir', target], {
    cwd: root,
    stdio: 'inherit',
  })
}

/** Ours without what only a checkout needs: its scripts, its tools and the Node that it brings along. */
function publishedManifest(): Record<string, unknown> {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Record<string, unknown>
  const { private: _, scripts, devDependencies, optionalDependencies, allowScripts, ...kept } = manifest
  return { ...kept, exports: builtExports(manifest.exports as Record<string, string>) }
}

/** `./src/index.ts` → its JavaScript and its types. */
function builtExports(sources: Record<string, string>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(sources).map(([name, file]) => [
      name,
      file.endsWith('.ts')
        ? { types: file.replace(/\.ts$/, '.d.ts'), default: file.replace(/\.ts$/, '.js') }
        : file,
    ]),
  )
}
