import { Packr } from 'msgpackr/pack'

/** Of the memory it packs into, what is kept for the next ones. */
const KEPT_BYTES = 256 * 1024

const packr = new Packr({ useRecords: false, encodeUndefinedAsNil: true })

/**
 * What a script reads with `cmsgpack.unpack`, as one argument: ioredis and Redis handle each argument by itself, which
 * for hundreds of short ones costs several times what packing them does. `undefined` becomes nil.
 */
export function packArguments(values: readonly unknown[]): Buffer {
  const packed = packr.pack(values)
  // It would keep room for one more batch of the largest prompts for good.
  if (packed.length > KEPT_BYTES) packr.useBuffer(Buffer.allocUnsafeSlow(KEPT_BYTES))
  return packed
}
