/**
 * Goes on when nobody takes the log any more: the terminal was closed, the pipe has no reader. Otherwise the next line
 * of it would end this process, and each that is started in its place.
 */
export function outliveStderr(): void {
  process.stderr.on('error', () => {})
}
