/** Where a request of an OpenCode client is about: named in query, header and body, and checked in each. */
import { isUtf8 } from 'node:buffer'
import { isAbsolute, join, normalize, sep } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { FastifyRequest } from 'fastify'
import { TierlineError } from '../../errors.ts'
import type { SessionPort } from '../ports.ts'

type Check = Pick<SessionPort, 'checkDirectory' | 'checkFile'>

const HEADER = 'x-opencode-directory'

/**
 * The directory as a real path, and the query without it; `undefined`: the server's own.
 *
 * @throws {TierlineError} `directory_not_allowed` and its kin, `invalid_input` when they contradict each other,
 *   `not_proxied` for a workspace.
 */
export async function placeOf(
  request: FastifyRequest,
  check: Check,
): Promise<{ directory: string | undefined; query: URLSearchParams }> {
  const query = new URLSearchParams(request.url.slice(`${request.url}?`.indexOf('?') + 1))
  if (query.has('workspace'))
    throw new TierlineError(
      'not_proxied',
      'Cannot pass on "workspace": workspaces of OpenCode are not reached',
      {
        errors: [{ field: 'workspace', message: 'is not passed on' }],
      },
    )
  const inBody = (request.body as { directory?: unknown } | null | undefined)?.directory
  const named = [
    ...query.getAll('directory').map((path) => ({ field: 'directory', path })),
    ...(typeof request.headers[HEADER] === 'string'
      ? [{ field: HEADER, path: decoded(request.headers[HEADER]) }]
      : []),
    ...(inBody === undefined ? [] : [{ field: 'body.directory', path: String(inBody) }]),
  ].filter(({ path }) => path !== '')
  query.delete('directory')
  const checked = await Promise.all(named.map(({ field, path }) => check.checkDirectory(path, field)))
  const other = checked.findIndex((path) => path !== checked[0])
  if (other !== -1)
    throw new TierlineError(
      'invalid_input',
      `Cannot tell the directory: "${checked[0]}" or "${checked[other]}"`,
      {
        errors: [
          { field: named[other]!.field, message: `contradicts "${named[0]!.field}"`, given: checked[other] },
        ],
      },
    )
  return { directory: checked[0], query }
}

/** @throws {TierlineError} `directory_not_allowed` when the file is not below the directory. */
export async function checkFileIn(
  query: URLSearchParams,
  field: string,
  directory: string | undefined,
  check: Check,
): Promise<void> {
  for (const given of query.getAll(field)) {
    const path = normalize(given)
    if (isAbsolute(path) || path === '..' || path.startsWith(`..${sep}`) || given.includes('\0'))
      throw new TierlineError(
        'directory_not_allowed',
        `Cannot read "${given}": it is not below the directory`,
        {
          errors: [{ field, message: 'must be a path below the directory', given }],
        },
      )
    // Links are followed where it is known what they are relative to.
    if (directory !== undefined) await check.checkFile(pathToFileURL(join(directory, path)).href, field)
  }
}

/** SDKs encode what is not ASCII; by hand it is sent as UTF-8, which Node reads byte by byte. */
function decoded(header: string): string {
  const bytes = Buffer.from(header, 'latin1')
  const text = isUtf8(bytes) ? bytes.toString() : header
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
