import { realpath, stat } from 'node:fs/promises'
import { isAbsolute, relative, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type ErrorCode, TierlineError } from '../errors.ts'

const OUTSIDE = 'is outside the directories that are allowed'

/** Absolute paths tasks may work below; `null`: any that exists. */
export type Roots = readonly string[] | null

/**
 * The real path of a directory that a task may work in: links are followed before it is judged, so that
 * neither a link nor `..` leads out of the roots.
 *
 * @throws {TierlineError} `directory_not_absolute`, `directory_not_found` or `directory_not_allowed`,
 *   naming `field`. What lies outside the roots is not allowed, whether it exists or not.
 */
export async function checkDirectory(directory: string, roots: Roots, field = 'directory'): Promise<string> {
  const refuse = refusing('Cannot use the directory', directory, field)
  if (!isAbsolute(directory)) throw refuse('directory_not_absolute', 'must be an absolute path')
  const found = await realPathWithin(directory, roots)
  if (found.status === 'outside') throw refuse('directory_not_allowed', OUTSIDE, roots)
  if (found.status === 'missing') throw refuse('directory_not_found', `does not exist (${found.reason})`)
  if (!(await stat(found.path)).isDirectory()) throw refuse('directory_not_found', 'is a file')
  return found.path
}

/**
 * The real path of the directory in which an OpenCode server works where none is named. One that this machine does not
 * have is judged by its text: it is that of the server, which exists there.
 *
 * @throws {TierlineError} `directory_not_allowed`, naming the field `directory`.
 */
export async function checkOwnDirectory(
  directory: string,
  server: string,
  roots: readonly string[],
): Promise<string> {
  const found = await realPathWithin(directory, roots)
  if (found.status !== 'outside') return found.status === 'found' ? found.path : resolve(directory)
  const message = `must be named: that of OpenCode "${server}" ${OUTSIDE}`
  throw new TierlineError(
    'directory_not_allowed',
    `Cannot use the directory "${directory}", in which OpenCode "${server}" works where none is named: it ${OUTSIDE} (${roots.join(', ')})`,
    { errors: [{ field: 'directory', message, given: directory, allowed: roots }] },
  )
}

/** A warning where whatever names no directory will be refused by `checkOwnDirectory`. `undefined`: it is allowed. */
export async function ownDirectoryWarning(directory: string, roots: Roots): Promise<string | undefined> {
  if (roots === null || (await realPathWithin(directory, roots)).status !== 'outside') return undefined
  return `OpenCode works in "${directory}", which ${OUTSIDE} (${roots.join(', ')}): who names no directory is refused; start tierline in one of these, or name one with each task`
}

/**
 * The real path of the file that a `file://` URL names; it must lie inside the roots.
 *
 * @throws {TierlineError} `invalid_input` for no URL of a local file or a file that is missing,
 *   `directory_not_allowed`, naming `field`: `messages.0.parts.1.url`.
 */
export async function checkFileURL(url: string, roots: Roots, field: string): Promise<string> {
  const refuse = refusing('Cannot use the file', url, field)
  let path: string
  try {
    path = fileURLToPath(url)
  } catch {
    throw refuse('invalid_input', 'must be a file:/// URL of a local file')
  }
  const found = await realPathWithin(path, roots)
  if (found.status === 'outside') throw refuse('directory_not_allowed', OUTSIDE, roots)
  if (found.status === 'missing') throw refuse('invalid_input', `does not exist (${found.reason})`)
  return found.path
}

type Found = { status: 'found'; path: string } | { status: 'missing'; reason: string } | { status: 'outside' }

async function realPathWithin(path: string, roots: Roots): Promise<Found> {
  const realRoots = await Promise.all((roots ?? []).map(realOrGiven))
  try {
    const real = await realpath(path)
    return roots === null || realRoots.some((root) => isInside(real, root))
      ? { status: 'found', path: real }
      : { status: 'outside' }
  } catch (error) {
    // Only its text can be judged, so that nobody learns what exists outside the roots.
    const text = resolve(path)
    const inside = roots === null || [...roots, ...realRoots].some((root) => isInside(text, root))
    return inside
      ? { status: 'missing', reason: (error as NodeJS.ErrnoException).code! }
      : { status: 'outside' }
  }
}

async function realOrGiven(root: string): Promise<string> {
  return realpath(root).catch(() => root)
}

/** `/work/a` is inside `/work` and `/work/a`, and not inside `/wor` or `/work/ab`. */
function isInside(path: string, root: string): boolean {
  const way = relative(root, path)
  return way === '' || !(way === '..' || way.startsWith(`..${sep}`) || isAbsolute(way))
}

/** Makes the errors about one path: they begin alike and name the same field. */
function refusing(what: string, given: string, field: string) {
  return (code: ErrorCode, message: string, roots: Roots = null): TierlineError =>
    new TierlineError(
      code,
      `${what} "${given}": it ${message}${roots === null ? '' : ` (${roots.join(', ')})`}`,
      {
        errors: [{ field, message, given, ...(roots !== null && { allowed: roots }) }],
      },
    )
}
