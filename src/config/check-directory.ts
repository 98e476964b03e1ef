import { realpath, stat } from 'node:fs/promises'
import { isAbsolute, relative, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type ErrorCode, TierlineError } from '../errors.ts'

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
  if (!isAbsolute(directory))
    throw refusal(
      'directory_not_absolute',
      directory,
      field,
      'must be an absolute path',
      `Cannot use the directory`,
    )
  const real = await realPathWithin(directory, roots, field)
  if ((await stat(real)).isDirectory()) return real
  throw refusal('directory_not_found', directory, field, 'is a file', 'Cannot use the directory')
}

/**
 * The real path of the file that a `file://` URL names; it must lie inside the roots.
 *
 * @throws {TierlineError} `invalid_input` for a URL of no local file; else as `checkDirectory`.
 */
export async function checkFileURL(url: string, roots: Roots, field: string): Promise<string> {
  let path: string
  try {
    path = fileURLToPath(url)
  } catch {
    throw refusal(
      'invalid_input',
      url,
      field,
      'must be a file:/// URL of a local file',
      'Cannot use the file',
    )
  }
  return realPathWithin(path, roots, field)
}

async function realPathWithin(path: string, roots: Roots, field: string): Promise<string> {
  const realRoots = roots === null ? null : await Promise.all(roots.map(realOrGiven))
  const real = await realpath(path).catch((error: NodeJS.ErrnoException) => error.code ?? 'invalid path')
  const found = isAbsolute(real)
  // Of what does not exist only the text can be judged. Nobody learns what exists outside the roots.
  const judged = found ? real : resolve(path)
  const allowed =
    realRoots === null || [...realRoots, ...(found ? [] : roots!)].some((root) => isInside(judged, root))
  if (!allowed) throw notAllowed(path, roots!, field)
  if (!found)
    throw refusal('directory_not_found', path, field, `does not exist (${real})`, 'Cannot use the path')
  return real
}

async function realOrGiven(root: string): Promise<string> {
  return realpath(root).catch(() => root)
}

/** `/work/a` is inside `/work` and `/work/a`, and not inside `/wor` or `/work/ab`. */
function isInside(path: string, root: string): boolean {
  const way = relative(root, path)
  return way === '' || !(way === '..' || way.startsWith(`..${sep}`) || isAbsolute(way))
}

function notAllowed(path: string, roots: readonly string[], field: string): TierlineError {
  return new TierlineError(
    'directory_not_allowed',
    `Cannot use the path "${path}": it is outside the directories that are allowed (${roots.join(', ')})`,
    {
      errors: [
        { field, message: 'is outside the directories that are allowed', given: path, allowed: roots },
      ],
    },
  )
}

function refusal(
  code: ErrorCode,
  given: string,
  field: string,
  message: string,
  what: string,
): TierlineError {
  return new TierlineError(code, `${what} "${given}": it ${message}`, { errors: [{ field, message, given }] })
}
