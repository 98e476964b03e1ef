/** What this process was started with, for programs that are started by it. Settings come from `readSettings`. */
export function environmentOfProcess(): Readonly<Record<string, string | undefined>> {
  return process.env
}
