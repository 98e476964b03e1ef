import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

export interface ProcessInfo {
  pid: number
  command: string
}

/** The running processes whose environment, command line or working directory holds `text`: all that came of one test home. */
export function processesOf(text: string): ProcessInfo[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((name) => {
      try {
        const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()
        const environment = readFileSync(`/proc/${name}/environ`, 'utf8')
        const cwd = readlinkSync(`/proc/${name}/cwd`)
        const ours = command !== '' && [command, environment, cwd].some((place) => place.includes(text))
        return ours ? [{ pid: Number(name), command }] : []
      } catch {
        // It ended while we looked.
        return []
      }
    })
}
