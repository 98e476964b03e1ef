/** The part of a pino logger that the HTTP server uses. */
export interface HttpLogger {
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}
