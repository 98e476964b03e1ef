const COLUMN_PX = 8
const LINE_PX = 18
const MARGIN_PX = 16

const WORD = /[─-╿]+|[^\s─-╿]+(?: [^\s─-╿]+)*/g
const FRAME = /^[─-╿]/
const BAR = /█+|▒+|░+/g
const PARTS: Readonly<Record<string, string>> = { '█': 'full', '▒': 'half', '░': 'empty' }
const KINDS: readonly (readonly [RegExp, string])[] = [
  [FRAME, 'dim'],
  [/^[A-Z%][A-Z% ]*$/, 'dim'],
  [/^✓$/, 'good'],
  [/^(fast|balanced|powerful)$/, 'tier'],
]

/**
 * Text of a terminal as an SVG: light or dark as the reader's page is, in the reader's own font.
 *
 * `command` stands above it as if typed. `title` is for who cannot see it.
 */
export function terminalSvg(command: string, text: string, title: string): string {
  const lines = text.trimEnd().split('\n')
  const columns = Math.max(...lines.map((line) => [...line].length))
  const width = columns * COLUMN_PX + 2 * MARGIN_PX
  const height = (lines.length + 2) * LINE_PX + 2 * MARGIN_PX
  const typed = `<tspan class="dim">$</tspan> <tspan class="typed">${escapeXml(command)}</tspan>`
  const body = [typed, '', ...lines.map(paint)].flatMap((row, index) => {
    const top = MARGIN_PX + index * LINE_PX
    const words = row === '' ? [] : [`<text x="${MARGIN_PX}" y="${top + 0.75 * LINE_PX}">${row}</text>`]
    return [...words, ...drawBars(lines[index - 2] ?? '', top)]
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="13" role="img" aria-labelledby="title">
<title id="title">${escapeXml(title)}</title>
<style>
  .page { fill: #ffffff; stroke: #d0d7de }
  text { fill: #1f2328; white-space: pre }
  .dim { fill: #59636e } .typed { font-weight: 600 } .good { fill: #1a7f37 }
  .fast { fill: #1a7f37 } .balanced { fill: #9a6700 } .powerful { fill: #8250df }
  .full { fill: #0969da } .half { fill: #80ccff } .empty { fill: #eaeef2 }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117; stroke: #3d444d }
    text { fill: #f0f6fc }
    .dim { fill: #9198a1 } .good { fill: #3fb950 }
    .fast { fill: #3fb950 } .balanced { fill: #d29922 } .powerful { fill: #ab7df8 }
    .full { fill: #4493f8 } .half { fill: #1f4b8e } .empty { fill: #262c36 }
  }
</style>
<rect class="page" x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="8"/>
${body.join('\n')}
</svg>
`
}

/** Each cell at its column, whatever the font. Frames step back, what went well and the tiers come forward. */
function paint(line: string): string {
  const words = line.replace(BAR, (bar) => ' '.repeat(bar.length))
  return [...words.matchAll(WORD)]
    .map(({ 0: word, index }) => {
      const kind = KINDS.find(([pattern]) => pattern.test(word))?.[1]
      const length = FRAME.test(word) ? ` textLength="${word.length * COLUMN_PX}"` : ''
      const name = kind === undefined ? '' : ` class="${kind === 'tier' ? word : kind}"`
      return `<tspan x="${MARGIN_PX + index * COLUMN_PX}"${length}${name}>${escapeXml(word)}</tspan>`
    })
    .join('')
}

/** As shapes: what a font makes of `█` has gaps. */
function drawBars(line: string, top: number): string[] {
  return [...line.matchAll(BAR)].map(({ 0: bar, index }) => {
    const [x, width] = [MARGIN_PX + index * COLUMN_PX, bar.length * COLUMN_PX]
    return `<rect class="${PARTS[bar.charAt(0)]}" x="${x}" y="${top + 3}" width="${width}" height="${LINE_PX - 6}"/>`
  })
}

function escapeXml(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;')
}
