/** For probes and for the curious. */
import { z } from 'zod'
import { Readiness, VersionView } from '../../tasks/views.ts'
import type { HttpApp } from '../app.ts'
import type { HealthPort } from '../ports.ts'

const Alive = z.object({ status: z.literal('ok') })

export function registerHealthRoutes(
  app: HttpApp,
  { health, version }: { health: HealthPort; version: string },
): void {
  app.route({
    method: 'GET',
    url: '/healthz',
    config: { open: true },
    schema: {
      operationId: 'isAlive',
      tags: ['Health'],
      summary: 'Is the process alive?',
      description: 'Needs no API key and asks nothing of Redis or OpenCode.',
      response: { 200: Alive },
    },
    handler: async () => ({ status: 'ok' as const }),
  })

  app.route({
    method: 'GET',
    url: '/readyz',
    schema: {
      operationId: 'isReady',
      tags: ['Health'],
      summary: 'Can it take and run tasks?',
      response: { 200: Readiness, 503: Readiness },
    },
    handler: async (_request, reply) => {
      const readiness = await health.readiness()
      const { redis, workers, opencode } = readiness.checks
      // Not the file: with a bad one the last good table is in force, and all replicas would go at once.
      const ok = [redis, workers, opencode].every((check) => check.ok)
      return reply.code(ok ? 200 : 503).send(readiness)
    },
  })

  app.route({
    method: 'GET',
    url: '/v1/version',
    schema: {
      operationId: 'getVersion',
      tags: ['Health'],
      summary: 'Read the version',
      response: { 200: VersionView },
    },
    handler: async () => ({ name: 'tierline' as const, version, node: process.version }),
  })
}
