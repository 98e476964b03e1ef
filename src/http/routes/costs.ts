/** What was spent. */
import { Costs, CostsQuery } from '../../tasks/costs.ts'
import type { HttpApp } from '../app.ts'
import type { MoneyPort } from '../ports.ts'
import { NO_VALIDATION } from '../validation.ts'

export function registerCostsRoute(app: HttpApp, money: MoneyPort): void {
  app.route({
    method: 'GET',
    url: '/v1/costs',
    config: { errors: ['invalid_input', 'unknown_field'] },
    schema: {
      operationId: 'getCosts',
      tags: ['Money'],
      summary: 'Tell what was spent',
      description:
        'By model, tier, type, API key or day. Days are UTC and count as a whole: the one of `since`, and the last that begins before `until`.',
      querystring: CostsQuery,
      response: { 200: Costs },
    },
    ...NO_VALIDATION,
    handler: ({ query }) => money.costs(query),
  })
}
