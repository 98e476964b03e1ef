/** Pause and resume. */
import { z } from 'zod'
import { TierView } from '../../tasks/views.ts'
import type { HttpApp } from '../app.ts'
import type { RoutingPort } from '../ports.ts'

const TierParams = z.object({
  tier: z.string().meta({ description: 'A tier, or one of the queues `direct` and `nested`.' }),
})

export function registerTierRoutes(app: HttpApp, routing: RoutingPort): void {
  app.route({
    method: 'POST',
    url: '/v1/tiers/:tier/pause',
    config: { errors: ['tier_not_found'] },
    schema: {
      operationId: 'pauseTier',
      tags: ['Routing'],
      summary: 'Pause a tier',
      description: 'Running tasks go on, no further one starts.',
      params: TierParams,
      response: { 200: TierView },
    },
    handler: ({ params }) => routing.pauseTier(params.tier),
  })

  app.route({
    method: 'POST',
    url: '/v1/tiers/:tier/resume',
    config: { errors: ['tier_not_found'] },
    schema: {
      operationId: 'resumeTier',
      tags: ['Routing'],
      summary: 'Resume a tier',
      params: TierParams,
      response: { 200: TierView },
    },
    handler: ({ params }) => routing.resumeTier(params.tier),
  })
}
