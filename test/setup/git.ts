import { execFileSync } from 'node:child_process'

/** Runs git as nobody in particular, so that it needs no settings of this machine; gives what it prints. */
export function git(cwd: string, ...args: string[]): string {
  return execFileSync('git', ['-c', 'user.name=test', '-c', 'user.email=test@localhost', ...args], {
    cwd,
    encoding: 'utf8',
  })
}

/** Commits all there is. */
export function commit(cwd: string): void {
  git(cwd, 'add', '.')
  git(cwd, 'commit', '-qm', 'change')
}
