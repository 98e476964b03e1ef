/** docker-compose.yml as a project of its own, with the scripted models and a random key, on free ports. */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { freePort } from '../../src/services/free-port.ts'
import { openCodeProviders } from '../provider/models.ts'

export interface ComposeProject {
  /** The one directory of the tasks. */
  workspace: string
  compose(...args: readonly string[]): Promise<string>
  docker(...args: readonly string[]): Promise<string>
  /** Ids of the containers of a service that run. */
  containers(service: string): Promise<string[]>
  /** Ids of all that bears the project's label, running or not. */
  leftovers(): Promise<string[]>
  /** Body of a GET, or of a POST of `body`; `key: false` comes without one. @throws for a status from 400 on */
  curl(path: string, options?: { body?: object; key?: boolean }): Promise<string>
  /** Replaces tierline.yaml as an editor does: by a new file of that name. */
  configure(text: string): void
  /** Stops all that runs, and removes all but the images. */
  remove(): Promise<void>
}

const run = promisify(execFile)
const CHECKOUT = join(import.meta.dirname, '../..')
const FILES = ['docker-compose.yml', 'test/containers/scripted-provider.yml']

/** Starts nothing yet. `COMPOSE` says which compose, default `docker compose`. */
export async function createComposeProject(): Promise<ComposeProject> {
  const home = mkdtempSync(join(tmpdir(), 'tierline-compose-'))
  const workspace = join(home, 'projects')
  const config = join(home, 'config')
  const openCodeConfig = join(home, 'opencode.json')
  const name = `tierline-try-${process.pid}`
  const secret = randomBytes(24).toString('hex')
  const port = await freePort()
  const [command = 'docker', ...before] = (process.env.COMPOSE ?? 'docker compose').split(' ')

  mkdirSync(workspace)
  mkdirSync(config)
  writeFileSync(
    openCodeConfig,
    JSON.stringify({
      provider: openCodeProviders('http://127.0.0.1:8080'),
      enabled_providers: ['acme', 'globex'],
      model: 'acme/base',
      small_model: 'acme/nano',
    }),
  )
  // The containers' user is not the one who runs this.
  for (const path of [home, workspace]) chmodSync(path, 0o777)

  const env = {
    ...process.env,
    COMPOSE_PROJECT_NAME: name,
    TIERLINE_API_KEYS: `try:${secret}`,
    REDIS_PASSWORD: randomBytes(24).toString('hex'),
    OPENCODE_SERVER_PASSWORD: randomBytes(24).toString('hex'),
    WORKSPACE: workspace,
    CONFIG_DIR: config,
    TIERLINE_PORT: String(port),
    REDIS_PORT: String(await freePort()),
    CHECKOUT,
    OPENCODE_CONFIG: openCodeConfig,
  }

  async function execute(program: string, args: readonly string[]): Promise<string> {
    try {
      return (await run(program, args, { cwd: CHECKOUT, env, maxBuffer: 1e8 })).stdout.trim()
    } catch (error) {
      // A build tells what went wrong at its end, after pages of progress.
      const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string }
      const told = [stdout, stderr].map((text) => text.split('\n').slice(-20).join('\n')).join('\n')
      throw new Error(`${program} ${args.slice(0, 6).join(' ')} failed:\n${told}`)
    }
  }

  const docker = (...args: readonly string[]) => execute('docker', args)
  const compose = (...args: readonly string[]) =>
    execute(command, [...before, ...FILES.flatMap((file) => ['-f', file]), ...args])

  return {
    workspace,
    docker,
    compose,
    async containers(service) {
      return (await compose('ps', '--quiet', service)).split('\n')
    },
    async leftovers() {
      const label = ['--quiet', '--filter', `label=com.docker.compose.project=${name}`]
      const ids = await Promise.all([
        docker('ps', '--all', ...label),
        docker('volume', 'ls', ...label),
        docker('network', 'ls', ...label),
      ])
      return ids.join('\n').split('\n').filter(Boolean)
    },
    async curl(path, { body, key = true } = {}) {
      const data = body ? ['-H', 'content-type: application/json', '-d', JSON.stringify(body)] : []
      const authorization = key ? ['-H', `authorization: Bearer ${secret}`] : []
      return await execute('curl', ['-sSf', ...authorization, ...data, `http://127.0.0.1:${port}${path}`])
    },
    configure(text) {
      const file = join(config, 'tierline.yaml')
      writeFileSync(`${file}.new`, text)
      renameSync(`${file}.new`, file)
    },
    async remove() {
      await compose('down', '--volumes', '--remove-orphans').catch(() => {})
      rmSync(home, { recursive: true, force: true })
    },
  }
}
