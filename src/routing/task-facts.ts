/** What of a task rules and limits look at, beside what it asks for. */
import type { ParsedTaskInput } from '../tasks/input.ts'
import { estimatePrompt, type PromptSize } from '../tasks/prompt-size.ts'

export interface TaskFacts {
  readonly prompt: PromptSize
  /** Real path; `null`: the server's own working directory, which nobody here knows. */
  readonly directory: string | null
  /** Name of the API key; `null`: none. */
  readonly key: string | null
}

const EMPTY: PromptSize = { totalTokens: 0, longestTokens: 0 }

/** Of what sends nothing: a session that is opened. */
export const NO_FACTS: TaskFacts = { prompt: EMPTY, directory: null, key: null }

/** The prompt is measured when something asks for its length, and once. `undefined`: nothing is sent. */
export function factsOf(
  input: ParsedTaskInput | undefined,
  { directory, key }: Pick<TaskFacts, 'directory' | 'key'>,
): TaskFacts {
  return new LazyFacts(input, directory, key)
}

/** A class, since a getter of its own would cost each object more than most prompts. */
class LazyFacts implements TaskFacts {
  readonly directory: string | null
  readonly key: string | null
  readonly #input: ParsedTaskInput | undefined
  #prompt: PromptSize | undefined

  constructor(input: ParsedTaskInput | undefined, directory: string | null, key: string | null) {
    this.#input = input
    this.directory = directory
    this.key = key
  }

  get prompt(): PromptSize {
    this.#prompt ??= this.#input === undefined ? EMPTY : estimatePrompt(this.#input)
    return this.#prompt
  }
}
