import { type HeapProfiler, Session } from 'node:inspector/promises'

/** V8 tells of one object for about so many bytes. */
const INTERVAL_BYTES = 4_096

/**
 * Bytes allocated by `work` that no collection of young objects has freed: what is held, what V8 keeps until a full
 * collection though nobody holds it, and what is too young to say. So `work` should allocate 100 MB: of young objects
 * there are at most 16.
 */
export async function agedBytes(work: () => Promise<unknown> | unknown): Promise<number> {
  const session = new Session()
  session.connect()
  try {
    await session.post('HeapProfiler.startSampling', {
      samplingInterval: INTERVAL_BYTES,
      includeObjectsCollectedByMajorGC: true,
    })
    await work()
    const { profile } = await session.post('HeapProfiler.stopSampling')
    return bytesOf(profile.head)
  } finally {
    session.disconnect()
  }
}

function bytesOf({ selfSize, children }: HeapProfiler.SamplingHeapProfileNode): number {
  return children.reduce((sum, child) => sum + bytesOf(child), selfSize)
}
