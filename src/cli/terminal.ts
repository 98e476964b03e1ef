/** Where the command line writes: data to stdout, everything else to stderr. */
import type { WriteStream } from 'node:tty'
import picocolors from 'picocolors'

export type Colors = ReturnType<typeof picocolors.createColors>

export interface Terminal {
  /** Data, as it is: nothing is added. */
  write(text: string): void
  /** Data, one line or more. */
  print(text: string): void
  /** Data as JSON, for programs. */
  printJson(value: unknown): void
  /** One line of JSON, for streams of them. */
  printJsonLine(value: unknown): void
  /** Chatter, on stderr. */
  note(text: string): void
  /** How far it is, in one line of stderr that is drawn over; nothing where nobody looks. `undefined` removes it. */
  progress(text: string | undefined): void
  /** Somebody looks at stdout, in a terminal that can move its cursor. */
  readonly live: boolean
  /** For stdout and for stderr: no-ops where nobody looks or `NO_COLOR` is set. */
  readonly colors: Colors
  readonly noteColors: Colors
  /** What is typed here to get this command line, for hints: `tierline`. */
  readonly command: string
  /** The stream of a live view. */
  readonly stdout: NodeJS.WritableStream
  size(): { columns: number; rows: number }
}

type Stream = NodeJS.WritableStream & Partial<Pick<WriteStream, 'isTTY' | 'columns' | 'rows'>>

export interface TerminalOptions {
  stdout: Stream
  stderr: Stream
  dumb: boolean
  command: string
}

export function createTerminal({ stdout, stderr, dumb, command }: TerminalOptions): Terminal {
  // picocolors colors a pipe, too, when it finds itself in CI.
  const colorsOf = (stream: Stream) =>
    picocolors.createColors(picocolors.isColorSupported && stream.isTTY === true && !dumb)
  return {
    write: (text) => put(stdout, text),
    print: (text) => put(stdout, `${text}\n`),
    printJson: (value) => put(stdout, `${toJson(value, 2)}\n`),
    printJsonLine: (value) => put(stdout, `${toJson(value)}\n`),
    note: (text) => put(stderr, `${text}\n`),
    progress(text) {
      // Where stdout is a terminal as well, what is printed there shows how far it is.
      if (stderr.isTTY !== true || stdout.isTTY === true || dumb) return
      put(stderr, `\r\u001b[2K${text ?? ''}`)
    },
    live: stdout.isTTY === true && !dumb,
    colors: colorsOf(stdout),
    noteColors: colorsOf(stderr),
    command,
    stdout,
    size: () => ({ columns: stdout.columns || 80, rows: stdout.rows || 24 }),
  }
}

function put(stream: Stream, text: string): void {
  stream.write(text)
}

/** JSON escapes the old control characters and leaves the newer ones, which some terminals obey. */
function toJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, undefined, indent).replace(
    /[\u007f-\u009f]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
