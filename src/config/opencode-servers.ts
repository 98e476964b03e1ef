import type { FieldError } from '../errors.ts'
import { Name } from '../tasks/input.ts'

/** One OpenCode server that somebody else runs. */
export interface OpenCodeServer {
  /** Stable: a checkpoint holds it. `s1`, `s2` by position when none is given. */
  readonly name: string
  /** Without credentials and without a slash at its end. */
  readonly url: string
  readonly username: string
  /** `null`: the server asks for none. */
  readonly password: string | null
  /** Of a server that `tierline up` started: where its tap listens. */
  readonly tapUrl?: string | undefined
}

/**
 * `http://a:4096` or `name=http://a:4096`, several separated by commas.
 *
 * A password in the URL is this server's own; the others have the one given. No message shows a URL.
 */
export function parseOpenCodeServers(
  text: string,
  field: string,
  login: { readonly username: string; readonly password: string | null },
): { servers: OpenCodeServer[]; errors: FieldError[] } {
  const servers: OpenCodeServer[] = []
  const errors: FieldError[] = []
  const entries = text.split(',').map((entry) => entry.trim())
  const given = entries.filter((entry) => entry !== '')
  if (given.length === 0) errors.push({ field, message: 'names no server' })
  for (const [index, entry] of given.entries()) {
    const refuse = (message: string): void => {
      errors.push({ field, message: `entry ${index + 1} ${message}` })
    }
    const [, name = `s${index + 1}`, address = ''] = /^(?:([^=/:]*)=)?(.*)$/s.exec(entry) ?? []
    const url = URL.parse(address) ?? undefined
    const own = url && decodedCredentials(url)
    if (!url || !['http:', 'https:'].includes(url.protocol)) refuse('must be an http:// or https:// URL')
    else if (!own) refuse('has a "%" in its user or password that encodes nothing')
    else if (url.search !== '' || url.hash !== '') refuse('must have neither "?" nor "#"')
    else if (!Name.safeParse(name).success) refuse('must have a name of letters, digits, ".", "_" or "-"')
    else if (servers.some((server) => server.name === name)) refuse('has the name of an earlier one')
    else {
      url.username = ''
      url.password = ''
      servers.push({
        name,
        url: url.href.replace(/\/+$/, ''),
        username: own.username || login.username,
        password: own.password || login.password,
      })
    }
  }
  return { servers, errors }
}

function decodedCredentials({ username, password }: URL): { username: string; password: string } | undefined {
  try {
    return { username: decodeURIComponent(username), password: decodeURIComponent(password) }
  } catch {
    return undefined
  }
}
