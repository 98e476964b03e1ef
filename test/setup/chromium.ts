import { execFile } from 'node:child_process'
import { createReadStream, createWriteStream, existsSync } from 'node:fs'
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import { createBrotliDecompress } from 'node:zlib'

export interface Chromium {
  path: string
  /** Where it finds what a machine without a desktop lacks: libraries and fonts. */
  env: Record<string, string>
}

const PACKAGE = join(createRequire(import.meta.url).resolve('@sparticuz/chromium'), '../../..')
const UNPACKED = join(PACKAGE, 'unpacked')

// Without a font every text is hidden. Those of the package alone, so that pages look the same everywhere.
const FONTS = `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir prefix="relative">fonts</dir></fontconfig>
`

/**
 * The Chromium of the npm package, unpacked beside it at the first use.
 *
 * The package would unpack it to the temporary directory, where another user's is taken as found and two
 * tests at a time run half a file; and its libraries only in a cloud function.
 */
export async function findChromium(): Promise<Chromium> {
  if (!existsSync(UNPACKED)) await unpack()
  return {
    path: join(UNPACKED, 'chromium'),
    env: { LD_LIBRARY_PATH: join(UNPACKED, 'lib'), FONTCONFIG_FILE: join(UNPACKED, 'tests.conf') },
  }
}

/** All or nothing: whoever is first puts it in place. */
async function unpack(): Promise<void> {
  const directory = await mkdtemp(join(PACKAGE, 'unpacking-'))
  try {
    await Promise.all([
      decompress('chromium.br', join(directory, 'chromium'), 0o755),
      extract('al2023.tar.br', directory),
      extract('fonts.tar.br', directory),
      writeFile(join(directory, 'tests.conf'), FONTS),
    ])
    await rename(directory, UNPACKED).catch((error) => {
      if (!existsSync(UNPACKED)) throw error
    })
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

async function extract(name: string, directory: string): Promise<void> {
  const archive = join(directory, name)
  await decompress(name, archive)
  await promisify(execFile)('tar', ['-xf', archive], { cwd: directory })
  await rm(archive)
}

async function decompress(name: string, target: string, mode = 0o644): Promise<void> {
  const source = createReadStream(join(PACKAGE, 'bin', name))
  await pipeline(source, createBrotliDecompress(), createWriteStream(target, { mode }))
}
