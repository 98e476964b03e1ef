import { type Browser, chromium as playwright } from 'playwright-core'
import { findChromium } from './chromium.ts'

/**
 * A real Chromium with its web security on: the flags that come with the package switch it off, and put
 * everything in one process, which ends with its first closed context.
 *
 * The package is for Linux on x64; elsewhere it is the Chrome of the machine. `more` beats the environment.
 */
export async function launchBrowser(more: Record<string, string> = {}): Promise<Browser> {
  const args = ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage']
  if (process.platform !== 'linux' || process.arch !== 'x64')
    return await playwright.launch({ channel: 'chrome', args })
  const { path, env } = await findChromium()
  return await playwright.launch({ executablePath: path, env: { ...process.env, ...env, ...more }, args })
}
