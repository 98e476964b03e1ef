import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { cpus, loadavg, release, totalmem, type } from 'node:os'

/** What a figure depends on beside the code, as lines of Markdown. */
export function describeMachine(redis: string, loadBefore: readonly number[], at: Date): string {
  const cores = cpus()
  return [
    `- ${at.toISOString().slice(0, 10)}, ${type()} ${release()}`,
    `- ${cores.length} cores (${cores[0]?.model.trim() ?? 'unknown'}), ${Math.round(totalmem() / 2 ** 30)} GiB of memory`,
    `- Node ${process.versions.node}, ${redis}, BullMQ ${versionOf('bullmq')}, OpenCode ${versionOf('opencode-ai')}`,
    `- load average before ${loadBefore[0]!.toFixed(2)}, at the end ${loadavg()[0]!.toFixed(2)}`,
  ].join('\n')
}

function versionOf(name: string): string {
  const manifest = createRequire(import.meta.url).resolve(`${name}/package.json`)
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version
}
