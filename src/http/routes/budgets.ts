/** What was spent of what may be spent. */
import { BudgetList } from '../../tasks/budget-view.ts'
import type { HttpApp } from '../app.ts'
import type { MoneyPort } from '../ports.ts'

export function registerBudgetRoute(app: HttpApp, money: MoneyPort): void {
  app.route({
    method: 'GET',
    url: '/v1/budgets',
    schema: {
      operationId: 'listBudgets',
      tags: ['Money'],
      summary: 'List the budgets with what is spent and held',
      response: { 200: BudgetList },
    },
    handler: async () => ({ data: await money.budgets() }),
  })
}
