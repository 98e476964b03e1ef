/** What is typed here to get the command line: in a checkout, `tierline` by itself is not on the PATH. */
export function commandName(environment: Readonly<Record<string, string | undefined>>): string {
  return environment.npm_package_name === 'tierline' ? 'npm run tierline --' : 'tierline'
}
