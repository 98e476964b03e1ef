/** Carries a planned fault out on the stage, and mends it. Resolves when all is in place again. */
import { setTimeout as sleep } from 'node:timers/promises'
import { COMMIT_PATTERNS } from './commit-patterns.ts'
import { COMMIT_POINTS, type Fault, type LinkName } from './plan.ts'
import type { Stage } from './stage.ts'

/** A trap that nothing runs into for that long is taken away. */
const TRAP_PATIENCE_MS = 20_000

/** `missed`: a commit point that nobody came to. */
export async function inflict(fault: Fault, stage: Stage): Promise<'done' | 'missed'> {
  switch (fault.do) {
    case 'kill':
      await kill(fault, stage)
      return 'done'
    case 'kill at':
      return killAt(fault, stage)
    case 'freeze':
      stage.signal(fault.who, 'SIGSTOP')
      await sleep(fault.forMs)
      stage.signal(fault.who, 'SIGCONT')
      return 'done'
    default:
      await breakLink(fault, stage)
      return 'done'
  }
}

async function kill({ who, downMs }: Extract<Fault, { do: 'kill' }>, stage: Stage): Promise<void> {
  if (who === 'redis') {
    await stage.redis.kill()
    await sleep(downMs)
    await stage.redis.start()
  } else if (who === 'opencode') {
    await stage.openCode.kill()
    await sleep(downMs)
    await stage.openCode.restart()
  } else {
    await stage.killProcess(who)
    await sleep(downMs)
    await stage.startProcess(who)
  }
}

async function killAt(
  { who, point, moment, nth }: Extract<Fault, { do: 'kill at' }>,
  stage: Stage,
): Promise<'done' | 'missed'> {
  const link = stage.links[`${who}->${COMMIT_POINTS[point].link}` as LinkName]
  const { promise, resolve } = Promise.withResolvers<'done'>()
  const forget = link.watch(COMMIT_PATTERNS[point], nth, moment, () => {
    void stage.killProcess(who).then(() => resolve('done'))
  })
  const patience = new AbortController()
  const missed = sleep(TRAP_PATIENCE_MS, 'missed' as const, { signal: patience.signal }).catch(
    () => 'done' as const,
  )
  const outcome = await Promise.race([promise, missed])
  patience.abort()
  forget()
  if (outcome === 'done') await stage.startProcess(who)
  return outcome
}

async function breakLink(fault: Extract<Fault, { link: LinkName }>, stage: Stage): Promise<void> {
  const link = stage.links[fault.link]
  if (fault.do === 'reset') return link.reset()
  if (fault.do === 'one way') link.block(fault.way)
  else if (fault.do === 'delay') link.delay(fault.byMs)
  else if (fault.do === 'one byte at a time') link.oneByteAtATime()
  else {
    link.block('up')
    link.block('down')
  }
  await sleep(fault.forMs)
  link.heal()
}
