/**
 * Text of models, tools and producers, made safe to print: a terminal obeys control characters, and a model
 * that repeats what it read could move the cursor, set the title or fill the clipboard.
 */
import { stripVTControlCharacters } from 'node:util'

// C0 without tab and line feed, DEL, C1, and the marks that turn the direction of text around.
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g

/** Keeps line feeds and tabs. */
export function cleanText(text: string): string {
  return stripVTControlCharacters(text).replace(CONTROL, '')
}

/** For one line or one cell: white space of any kind becomes one blank. */
export function cleanLine(text: string): string {
  return cleanText(text.replace(/\s+/g, ' ')).trim()
}
