import { isIP } from 'node:net'
import { TierlineError } from '../errors.ts'

const LOOPBACK = ['localhost', '127.0.0.1', '[::1]']
const EVERY_INTERFACE = ['0.0.0.0', '::']

/**
 * Gives a check of the `Host` header against DNS rebinding: a page of another site may resolve its own
 * name to this machine, but cannot make the browser send another name.
 *
 * On every interface, plain IP addresses are allowed too: no name leads to them, so nothing is rebound.
 * @throws {TierlineError} `host_not_allowed`, from the check.
 */
export function createHostCheck(options: {
  host: string
  allowedHosts: readonly string[]
}): (header: string | undefined) => void {
  const { host, allowedHosts } = options
  const anyAddress = EVERY_INTERFACE.includes(host)
  const own = anyAddress ? [] : [isIP(host) === 6 ? `[${host}]` : host]
  const allowed = new Set([...LOOPBACK, ...own, ...allowedHosts].map((name) => name.toLowerCase()))

  return (header) => {
    const name = nameOf(header)
    if (name !== undefined && (allowed.has(name) || (anyAddress && isAddress(name)))) return
    throw new TierlineError(
      'host_not_allowed',
      `Cannot answer for host "${header ?? ''}": it is none of this server's names; "http.allowedHosts" in the file may name it`,
      { errors: [{ field: 'Host', message: 'is not allowed', given: header ?? '', allowed: [...allowed] }] },
    )
  }
}

/** `Localhost:4400` → `localhost`, `[::1]:4400` → `[::1]`. */
function nameOf(header: string | undefined): string | undefined {
  return /^(\[[0-9a-f:.]+\]|[^:[\]]+)(:\d+)?$/i.exec(header ?? '')?.[1]?.toLowerCase()
}

function isAddress(name: string): boolean {
  return isIP(name.replace(/^\[|\]$/g, '')) !== 0
}
