/** What models there are, and which one a task would get. */
import { TaskInput } from '../../tasks/input.ts'
import { parseWith } from '../../tasks/parse-input.ts'
import { ExplainQuery, Explanation, ModelList, RoutesView } from '../../tasks/views.ts'
import type { HttpApp } from '../app.ts'
import type { RoutingPort } from '../ports.ts'
import { NO_VALIDATION } from '../validation.ts'

export function registerRoutingRoutes(app: HttpApp, routing: RoutingPort): void {
  app.route({
    method: 'GET',
    url: '/v1/models',
    config: { errors: ['opencode_unavailable'] },
    schema: {
      operationId: 'listModels',
      tags: ['Routing'],
      summary: 'List the models and their tiers',
      response: { 200: ModelList },
    },
    handler: async () => ({ data: await routing.models() }),
  })

  app.route({
    method: 'GET',
    url: '/v1/routes',
    schema: {
      operationId: 'getRoutes',
      tags: ['Routing'],
      summary: 'Read the routing table in force',
      response: { 200: RoutesView },
    },
    handler: () => routing.routes(),
  })

  app.route({
    method: 'POST',
    url: '/v1/routes/explain',
    schema: {
      operationId: 'explainRoute',
      tags: ['Routing'],
      summary: 'Explain the route a task would take',
      description:
        'Nothing is queued. A task that would be refused is a 200 too, with the `problem`. Every rule of the table has a step.',
      body: TaskInput,
      querystring: ExplainQuery,
      response: { 200: Explanation },
    },
    ...NO_VALIDATION,
    handler: ({ body, query, caller }) => {
      const { key = caller } = parseWith(ExplainQuery, query, 'Cannot explain the route')
      return routing.explain(body, key)
    },
  })
}
