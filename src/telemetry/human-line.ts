import { inspect } from 'node:util'
import colors from 'picocolors'

const LEVELS: Record<string, string> = {
  trace: colors.dim('trace'),
  debug: colors.dim('debug'),
  info: colors.cyan('info '),
  warn: colors.yellow('warn '),
  error: colors.red('error'),
  fatal: colors.red('fatal'),
}

/** One JSON line of the log, for people: `21:04:12 info  Listening url=http://127.0.0.1:4400`. */
export function humanLine(json: string): string {
  const { level, time, msg, err, ...fields } = JSON.parse(json) as Record<string, unknown>
  const clock = new Date(Number(time)).toTimeString().slice(0, 8)
  const details = Object.entries(fields).map(([name, value]) => colors.dim(`${name}=${shown(value)}`))
  const head = [colors.dim(clock), LEVELS[String(level)] ?? level, printable(String(msg ?? '')), ...details]
  const stack = (err as { stack?: string; message?: string } | undefined) ?? {}
  const rest = stack.stack ?? stack.message
  return `${head.join(' ')}${rest === undefined ? '' : `\n${printable(rest)}`}\n`
}

function shown(value: unknown): string {
  if (typeof value === 'string')
    return /^[^\s"]+$/.test(value) ? printable(value) : printable(JSON.stringify(value))
  return typeof value === 'object' ? inspect(value, { breakLength: Number.POSITIVE_INFINITY }) : String(value)
}

/** Without what could steer a terminal: text of a model or a client may stand in a log line. */
function printable(text: string): string {
  return text.replace(/[\0-\x08\x0b-\x1f\x7f-\x9f]/g, '�')
}
