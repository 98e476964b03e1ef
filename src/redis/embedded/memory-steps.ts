/** What the module's allocator begins with: page size, step, and two thresholds that it has no use for. */
const PAGE = 65_536
const NONE = 0xffff_ffff
const PARAMETERS = Buffer.from(new Uint32Array([PAGE, PAGE, NONE, NONE]).buffer)

const STEP_BYTES = 4 * 1024 * 1024

/**
 * Lets the memory, which `bytes` is all of, grow by four megabytes instead of one page: with each step V8 takes note of all of it anew.
 * Where the parameters are not found, as in another build, it stays as it is, and slower.
 */
export function growInLargerSteps(bytes: Buffer): void {
  const at = bytes.indexOf(PARAMETERS)
  if (at === -1 || at % 4 !== 0 || bytes.indexOf(PARAMETERS, at + 1) !== -1) return
  bytes.writeUInt32LE(STEP_BYTES, at + 4)
}
