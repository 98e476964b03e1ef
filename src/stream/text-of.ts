import type { StreamItem } from '../tasks/event.ts'

/**
 * The text of the answers as it comes, without reasoning: a blank line between two parts, as in `result.text`.
 * What a later `text-discarded` withdraws was given already.
 */
export async function* textOf(items: AsyncIterable<StreamItem>): AsyncGenerator<string> {
  let open: string | undefined
  for await (const item of items) {
    if (item.type !== 'text-delta') continue
    if (open !== undefined && open !== item.partID) yield '\n\n'
    open = item.partID
    yield item.text
  }
}
