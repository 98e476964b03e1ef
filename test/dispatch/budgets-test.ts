import type { Orchestrator, OrchestratorOptions } from '../../src/orchestrator.ts'
import type { Budget } from '../../src/routing/table.ts'
import type { TaskInput } from '../../src/tasks/input.ts'
import type { CoreFixture } from '../setup/core-test.ts'

/** 1000 micro-USD by the price of acme/nano: 10,000 tokens of input. */
export const THOUSAND: TaskInput = {
  model: 'acme/nano',
  prompt: '@usage:10000,0 @say: Done',
  maxCostUsd: 0.001,
}

/** An orchestrator that runs tasks under these budgets. */
export function working(
  { config, startWorking }: CoreFixture,
  budgets: readonly Budget[],
  retry?: OrchestratorOptions['retry'],
): Promise<Orchestrator> {
  config.swap({ budgets })
  return startWorking(retry && { retry })
}

/** What is spent and held of each. */
export function states({ money }: Orchestrator) {
  return money.budgets()
}
