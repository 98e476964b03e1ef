import { realpathSync } from 'node:fs'
import { dirname, relative, sep } from 'node:path'

type Environment = Readonly<Record<string, string | undefined>>

/**
 * What is typed to get this command line where the user is: `npm run tierline --` in a checkout, since `tierline` by
 * itself is not on the PATH there; with `--prefix` from elsewhere. To be followed by a command.
 */
export function commandName(environment: Environment, cwd = process.cwd()): string {
  if (environment.npm_lifecycle_event === 'npx') return 'npx tierline'
  const checkout = checkoutOf(environment, cwd)
  if (checkout === undefined) return 'tierline'
  const way = relative(checkout, userDirectory(environment, cwd))
  const isInside = way !== '..' && !way.startsWith(`..${sep}`)
  return isInside ? 'npm run tierline --' : `npm --prefix ${checkout} run tierline --`
}

/** What paths on the command line are relative to: npm runs the scripts of a checkout in the checkout, wherever it was called. */
export function userDirectory(environment: Environment, cwd = process.cwd()): string {
  return (checkoutOf(environment, cwd) && environment.INIT_CWD) || cwd
}

/**
 * Where this process was started by a script of a checkout of tierline. `undefined` for what such a process started in
 * turn, as an agent does, and which has all of its environment.
 */
function checkoutOf(environment: Environment, cwd: string): string | undefined {
  const { npm_package_name: name, npm_package_json: file, npm_command: command } = environment
  if (name !== 'tierline' || file === undefined || command === 'exec') return undefined
  return realPath(dirname(file)) === realPath(cwd) ? cwd : undefined
}

function realPath(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}
