/** OpenCode answered, and the answer was an error. */
export class OpenCodeRefusal extends Error {
  override readonly name = 'OpenCodeRefusal'
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }

  /** Reads the two shapes of error body that OpenCode has; any other is told by its status alone. */
  static async from(response: Response, path: string): Promise<OpenCodeRefusal> {
    const body: unknown = await response.json().catch(() => undefined)
    const said = messageIn(body)
    return new OpenCodeRefusal(
      response.status,
      `/${path} answered ${response.status}${said ? `: ${said}` : ''}`,
    )
  }
}

function messageIn(body: unknown): string | undefined {
  if (typeof body !== 'object' || body === null) return undefined
  const { data, message } = body as { data?: { message?: unknown }; message?: unknown }
  const said = data?.message ?? message
  return typeof said === 'string' ? said : undefined
}
