import { ERRORS } from '../errors.ts'

const STYLE = `
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
  table { border-collapse: collapse; width: 100% }
  th, td { text-align: left; padding: .4rem .8rem .4rem 0; border-bottom: 1px solid #8884 }
  tr:target { background: #fe93 }
  code { font: .9em ui-monospace, monospace }
  @media (prefers-color-scheme: dark) { body { background: #151a21; color: #d5dae1 } a { color: #8ab4f8 } }`

/** The page that the `type` of a problem leads to: `/docs/errors#unknown_model`. */
export function errorsPage(): string {
  const rows = Object.entries(ERRORS).map(
    ([code, { title, status, retryable }]) =>
      `<tr id="${code}"><td><a href="#${code}"><code>${code}</code></a></td><td>${title}</td>` +
      `<td>${status}</td><td>${retryable ? 'may help' : 'cannot help'}</td></tr>`,
  )
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>tierline: errors</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>${STYLE}</style></head>
<body><h1>Errors</h1>
<p>Every problem has one of these codes. The <code>detail</code> says what was wrong this time, and
<code>errors</code> which fields. The same codes stand in the <code>error</code> of a failed task.</p>
<table><thead><tr><th>Code</th><th>Meaning</th><th>Status</th><th>The same again</th></tr></thead>
<tbody>${rows.join('\n')}</tbody></table>
<p><a href="/docs/">API reference</a></p></body></html>`
}
