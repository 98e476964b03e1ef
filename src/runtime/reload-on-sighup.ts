import type { LiveConfig } from '../config/live-config.ts'

/** SIGHUP reads the configuration anew. Gives the function that stops it. */
export function reloadOnSighup(config: LiveConfig): () => void {
  const onHangup = () => void config.reload()
  process.on('SIGHUP', onHangup)
  return () => void process.off('SIGHUP', onHangup)
}
