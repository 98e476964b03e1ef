const COLUMN_PX = 8
const LINE_PX = 18
const MARGIN_PX = 16

const WORD = /[─-╿]+|[^\s─-╿]+(?: [^\s─-╿]+)*/g
const FRAME = /^[─-╿]/
const KINDS: readonly (readonly [RegExp, string])[] = [
  [FRAME, 'dim'],
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
    const y = MARGIN_PX + (index + 0.75) * LINE_PX
    return row === '' ? [] : [`<text x="${MARGIN_PX}" y="${y}">${row}</text>`]
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="13" role="img" aria-labelledby="title">
<title id="title">${escapeXml(title)}</title>
<style>
  .page { fill: #ffffff; stroke: #d0d7de }
  text { fill: #1f2328; white-space: pre }
  .dim { fill: #59636e } .typed { font-weight: 600 } .good { fill: #1a7f37 }
  .fast { fill: #1a7f37 } .balanced { fill: #9a6700 } .powerful { fill: #8250df }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117; stroke: #3d444d }
    text { fill: #f0f6fc }
    .dim { fill: #9198a1 } .good { fill: #3fb950 }
    .fast { fill: #3fb950 } .balanced { fill: #d29922 } .powerful { fill: #ab7df8 }
  }
</style>
<rect class="page" x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="8"/>
${body.join('\n')}
</svg>
`
}

/** Each cell at its column, whatever the font. Frames step back, what went well and the tiers come forward. */
function paint(line: string): string {
  return [...line.matchAll(WORD)]
    .map(({ 0: word, index }) => {
      const kind = KINDS.find(([pattern]) => pattern.test(word))?.[1]
      const length = FRAME.test(word) ? ` textLength="${word.length * COLUMN_PX}"` : ''
      const name = kind === undefined ? '' : ` class="${kind === 'tier' ? word : kind}"`
      return `<tspan x="${MARGIN_PX + index * COLUMN_PX}"${length}${name}>${escapeXml(word)}</tspan>`
    })
    .join('')
}

function escapeXml(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;')
}
