import { once } from 'node:events'
import { connect } from 'node:net'

/** Resolves when nobody listens there: whoever connected before was refused too. */
export async function refused(url: string): Promise<void> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  const connected = once(socket, 'connect')
  await connected.then(
    () => {
      socket.destroy()
      throw new Error(`Somebody listens at ${url}`)
    },
    () => {},
  )
}
