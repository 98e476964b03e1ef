import type { TurnEvent } from '../backend.ts'
import type { ToolPart } from './wire.ts'

const LONGEST_TITLE = 200

/** Tells each tool call once when it begins and once when it is over, however often its part is seen. Pure. */
export function createToolCalls(): { seen(part: ToolPart): TurnEvent[] } {
  const called = new Set<string>()
  const finished = new Set<string>()

  return {
    seen({ id, callID, tool, state }) {
      const events: TurnEvent[] = []
      // While it is pending its input is still being written by the model.
      if (state.status === 'pending') return events
      if (!called.has(id)) {
        called.add(id)
        events.push({ type: 'tool-called', callID, tool, input: state.input ?? null })
      }
      if (state.status === 'running' || finished.has(id)) return events
      finished.add(id)
      const title = (state.title ?? state.error ?? '').slice(0, LONGEST_TITLE)
      events.push({ type: 'tool-finished', callID, status: state.status, title })
      return events
    },
  }
}
