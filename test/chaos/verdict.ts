/** The whole of a chaos run: stage, plan, evidence, and what is left when all has ended. */
import { isTerminal } from '../../src/tasks/state.ts'
import { processesOf } from '../setup/processes.ts'
import { check, type Verdict } from './check.ts'
import { keysLeft, leakedFiles, openFiles } from './leftovers.ts'
import type { Plan } from './plan.ts'
import { type Progress, type RunReport, runPlan } from './run-plan.ts'
import { openStage, type StageOptions } from './stage.ts'

export interface ChaosResult extends Verdict {
  report: RunReport
  /** Which Redis it ran on. */
  redis: string
}

/** Ends everything it started, however it goes; rejects at `signal`. */
export async function runChaos(
  plan: Plan,
  options: StageOptions & { signal?: AbortSignal },
  onProgress: (progress: Progress) => void = () => {},
): Promise<ChaosResult> {
  const stage = await openStage(options)
  const problems: string[] = []
  try {
    const filesAtFirst = openFiles(stage)
    const report = await Promise.race([runPlan(plan, stage, onProgress), rejectedAt(options.signal)])
    const verdict = check(report.evidence)
    problems.push(...verdict.problems)
    const over = report.evidence.tasks.filter(({ task }) => isTerminal(task.state)).map(({ id }) => id)
    problems.push(...(await keysLeft(stage, over)))
    problems.push(...(await leakedFiles(filesAtFirst, stage)))
    for (const [who, code] of Object.entries(await stage.endTierline()))
      if (code !== 0) problems.push(`${who} ended with ${code} when it was asked to stop`)
    return { ...verdict, problems, report, redis: stage.redis.engine }
  } finally {
    const { dir } = stage.home
    await stage.close()
    for (const { pid, command } of processesOf(dir)) {
      // A fault that was being mended when the run was stopped has started it again.
      if (options.signal?.aborted) process.kill(pid, 'SIGKILL')
      else problems.push(`a process is left: ${command}`)
    }
  }
}

function rejectedAt(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)))
}
