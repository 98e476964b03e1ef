/** `npm run pictures`: makes docs/images/ anew from what really runs: server, board, OpenCode, the demo. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { renderBudgets } from '../../src/cli/commands/budgets.ts'
import { DEMO_CONFIG, DEMO_TASKS } from '../../src/cli/demo/demo-tasks.ts'
import { createClient, type TierlineClient } from '../../src/client/index.ts'
import { launchBrowser } from '../setup/browser.ts'
import { createHome, runTierline, startTierline } from '../setup/tierline-process.ts'
import { terminalSvg } from './terminal-svg.ts'

const IMAGES = join(import.meta.dirname, '../../docs/images')
const SIZE = { width: 1100, height: 620 }
const BUDGETS = `budgets:
  - { scope: global, per: month, limitUsd: 20 }
  - { scope: "tier:powerful", per: day, limitUsd: 6, onExceed: downgrade, downgradeAtPercent: 80 }
  - { scope: "tier:balanced", per: day, limitUsd: 2, onExceed: queue }
  - { scope: "type:lint", per: hour, limitUsd: 0.25 }
`

const home = await createHome(DEMO_CONFIG + BUDGETS)
try {
  await pictureDemo()
  const tierline = await startTierline(home, ['up'])
  const browser = await launchBrowser(fontsWithArrows())
  try {
    await picturePages(browser, tierline.ready.url)
  } finally {
    await browser.close()
    await tierline.end('SIGTERM')
  }
} finally {
  await home.remove()
}

/** Pages in the browser's own font, and signs that it lacks from those of the machine. */
function fontsWithArrows(): Record<string, string> {
  const file = join(home.dir, 'fonts.conf')
  const own = join(import.meta.dirname, '../../node_modules/@sparticuz/chromium/unpacked/fonts')
  writeFileSync(
    file,
    `<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>
<dir>${own}</dir><dir>/usr/share/fonts</dir>
<match><edit name="family" mode="prepend_first"><string>Open Sans</string></edit></match></fontconfig>`,
  )
  return { FONTCONFIG_FILE: file }
}

async function pictureDemo(): Promise<void> {
  const { code, stdout, stderr } = await runTierline(home, ['demo'])
  if (code !== 0) throw new Error(`The demo failed: ${stderr}`)
  pictureTerminal(
    'demo',
    'npm run demo',
    stdout.slice(stdout.indexOf('┌')),
    'The table that the demo ends with: thirteen tasks with tier, model, tokens and cost',
  )
}

async function picturePages(browser: Browser, url: string): Promise<void> {
  const client = createClient({ url })
  const finished = await Promise.all(DEMO_TASKS.map(({ input }) => client.enqueue(input)))
  // Long prompts, so that something was spent.
  const dear = await submitAll(client, '@usage:90000,4000', [
    ['lint', 'Find unused exports in', 6],
    ['review', 'Review', 4],
    ['analysis', 'Where does the memory go in', 4],
  ])
  const failing = await client.enqueue({ type: 'translate', prompt: 'Translate README.md @status:400,9' })
  await Promise.all([...finished, ...dear, failing].map((handle) => handle.result()))
  // More than each tier may run at a time, so that some wait.
  const open = await submitAll(client, '@hold:picture', [
    ['lint', 'Find unused exports in', 7],
    ['review', 'Review', 4],
    ['analysis', 'Where does the memory go in', 3],
  ])
  await home.provider.held('picture', 9)
  pictureTerminal(
    'budgets',
    'tierline budgets',
    renderBudgets(await client.budgets(), Date.now(), true),
    'Four budgets with what is spent and held of each, as numbers and as a bar, when it begins anew and what then',
  )

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
    await page.mouse.move(0, 0)
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

async function submitAll(
  client: TierlineClient,
  directive: string,
  work: readonly [string, string, number][],
) {
  return await Promise.all(
    work.flatMap(([type, prompt, count]) =>
      Array.from({ length: count }, () => client.enqueue({ type, prompt: `${prompt} src/ ${directive}` })),
    ),
  )
}

function pictureTerminal(name: string, command: string, text: string, title: string): void {
  writeFileSync(join(IMAGES, `${name}.svg`), terminalSvg(command, text, title))
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
