/** OpenCode answered, and the answer was an error. */
export class OpenCodeRefusal extends Error {
  override readonly name = 'OpenCodeRefusal'
  readonly status: number
  /** OpenCode's own name of what is wrong, where it has one: `WorktreeNotGitError`. */
  readonly reason: string | undefined

  constructor(status: number, message: string, reason?: string) {
    super(message)
    this.status = status
    this.reason = reason
  }

  /** Reads the two shapes of error body that OpenCode has; any other is told by its status alone. */
  static async from(response: Response, path: string): Promise<OpenCodeRefusal> {
    const body: unknown = await response.json().catch(() => undefined)
    const said = messageIn(body)
    return new OpenCodeRefusal(
      response.status,
      `/${path} answered ${response.status}${said ? `: ${said}` : ''}`,
      nameIn(body),
    )
  }
}

function nameIn(body: unknown): string | undefined {
  if (typeof body !== 'object' || body === null || !('name' in body)) return undefined
  return typeof body.name === 'string' ? body.name : undefined
}

function messageIn(body: unknown): string | undefined {
  if (typeof body !== 'object' || body === null) return undefined
  const { data, message } = body as { data?: { message?: unknown }; message?: unknown }
  const said = data?.message ?? message
  return typeof said === 'string' ? said : undefined
}
