import { monotonicFactory } from 'ulid'
import { z } from 'zod'

const nextUlid = monotonicFactory(randomFraction)

/** `tsk_01k…`: sorts by time of creation, so that lists need no second key. */
export function createTaskID(): string {
  return `tsk_${nextUlid().toLowerCase()}`
}

export const TaskID = z
  .string()
  .regex(/^tsk_[0-9a-hjkmnp-tv-z]{26}$/, 'must be a task id: "tsk_" and 26 letters and digits')

/**
 * The id of the OpenCode message that carries message `index` of a task, for one paid try.
 *
 * The same after a take-over, another only when the retry policy pays again (docs/architecture.md "Take-over").
 */
export function messageIDOf(taskID: string, index: number, tryNumber: number): string {
  return `msg_${taskID.slice('tsk_'.length)}_${index}_${tryNumber}`
}

/** The id of part `index` of a message: fixed, so that a repeated POST does not double the prompt. */
export function partIDOf(messageID: string, index: number): string {
  return `prt_${messageID.slice('msg_'.length)}_${index}`
}

/** In blocks: ulid asks for one number per character, and one call of the system for each was 5 % of a submit. */
const randomBlock = new Uint32Array(1024)
let used = randomBlock.length

function randomFraction(): number {
  if (used === randomBlock.length) {
    crypto.getRandomValues(randomBlock)
    used = 0
  }
  return randomBlock[used++]! / 2 ** 32
}
