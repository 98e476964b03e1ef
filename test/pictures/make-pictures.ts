/** `npm run pictures`: makes docs/images/ anew from what really runs: server, board, OpenCode, the demo. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { DEMO_CONFIG, DEMO_TASKS } from '../../src/cli/demo/demo-tasks.ts'
import { createClient } from '../../src/client/index.ts'
import { launchBrowser } from '../setup/browser.ts'
import { createHome, runTierline, startTierline } from '../setup/tierline-process.ts'
import { terminalSvg } from './terminal-svg.ts'

const IMAGES = join(import.meta.dirname, '../../docs/images')
const SIZE = { width: 1100, height: 620 }

const home = await createHome(DEMO_CONFIG)
try {
  await pictureDemo()
  const tierline = await startTierline(home, ['up'])
  const browser = await launchBrowser()
  try {
    await picturePages(browser, tierline.ready.url)
  } finally {
    await browser.close()
    await tierline.end('SIGTERM')
  }
} finally {
  await home.remove()
}

async function pictureDemo(): Promise<void> {
  const { code, stdout, stderr } = await runTierline(home, ['demo'])
  if (code !== 0) throw new Error(`The demo failed: ${stderr}`)
  const table = stdout.slice(stdout.indexOf('┌'))
  writeFileSync(
    join(IMAGES, 'demo.svg'),
    terminalSvg(
      'npm run demo',
      table,
      'The table that the demo ends with: thirteen tasks with tier, model, tokens and cost',
    ),
  )
}

async function picturePages(browser: Browser, url: string): Promise<void> {
  const client = createClient({ url })
  const finished = await Promise.all(DEMO_TASKS.map(({ input }) => client.enqueue(input)))
  const failing = await client.enqueue({ type: 'translate', prompt: 'Translate README.md @status:400,9' })
  await Promise.all([...finished, failing].map((handle) => handle.result()))
  // More than each tier may run at a time, so that some wait.
  const work: [string, string, number][] = [
    ['lint', 'Find unused exports in src/', 7],
    ['review', 'Review the last commit', 4],
    ['analysis', 'Where does the memory go?', 3],
  ]
  const open = await Promise.all(
    work.flatMap(([type, prompt, count]) =>
      Array.from({ length: count }, () => client.enqueue({ type, prompt: `${prompt} @hold:picture` })),
    ),
  )
  await home.provider.held('picture', 9)

  for (const colorScheme of ['light', 'dark'] as const) {
    const context = await browser.newContext({ viewport: SIZE, colorScheme })
    context.setDefaultTimeout(60_000)
    const page = await context.newPage()
    const save = (name: string) => picture(page, `${name}-${colorScheme}`)

    await page.goto(`${url}/board/`)
    await page.locator('main').getByText('powerful').first().waitFor()
    await save('board')

    const { board } = (await finished[0]!.task()).links
    await page.goto(url + board)
    await page.getByRole('tab', { name: 'Logs' }).click()
    await page.getByText('succeeded').first().waitFor()
    // It shows the end; a story is read from its beginning.
    await page.getByText('opened on').first().hover()
    await page.mouse.wheel(0, -5_000)
    await save('story')

    await context.close()
  }
  const page = await browser.newPage({ viewport: SIZE })
  await page.goto(`${url}/docs/`)
  await page.getByText('Stream the events of a task').waitFor()
  await page.evaluate(`document.querySelector('.opblock-tag').scrollIntoView()`)
  // It is the same in the dark.
  await picture(page, 'api')

  home.provider.release('picture')
  await Promise.all(open.map((handle) => handle.cancel()))
}

/** Once nothing moves any more. */
async function picture(page: Page, name: string): Promise<void> {
  await page.evaluate('document.fonts.ready')
  await page.screenshot({
    path: join(IMAGES, `${name}.png`),
    animations: 'disabled',
    caret: 'hide',
  })
}
