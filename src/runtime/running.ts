/** Something that was started and is to be closed once. */
export interface Running {
  /** Takes nothing more; gives what runs `graceMs` to end, and hands the rest over. */
  close(graceMs: number): Promise<void>
}
