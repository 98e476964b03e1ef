import { request } from 'node:http'

const PATIENCE_MS = 1_000

/**
 * Whether a Docker daemon answers, known within a second: testcontainers takes longer to find out.
 *
 * `host` is the value of `DOCKER_HOST`, like `unix:///run/docker.sock` or `tcp://127.0.0.1:2375`.
 */
export async function dockerAnswers(host = 'unix:///var/run/docker.sock'): Promise<boolean> {
  const url = URL.parse(host)
  if (url === null) return false
  const where =
    url.protocol === 'unix:' ? { socketPath: url.pathname } : { host: url.hostname, port: url.port }
  return await new Promise((resolve) => {
    request({ ...where, path: '/_ping', signal: AbortSignal.timeout(PATIENCE_MS) })
      .on('response', (answer) => {
        answer.resume()
        resolve(answer.statusCode === 200)
      })
      .on('error', () => resolve(false))
      .end()
  })
}
