/** `/docs`: the API as pages for people. */
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'
import { CONTENT_SECURITY_POLICY } from './content-security-policy.ts'
import { errorsPage } from './errors-page.ts'

export async function registerApiDocs(app: FastifyInstance): Promise<void> {
  app.addHook('onRequest', (_request, reply, done) => {
    reply.header('content-security-policy', CONTENT_SECURITY_POLICY)
    done()
  })
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    theme: { title: 'tierline API' },
    // Without the top bar there is no field to load another server's description.
    uiConfig: { layout: 'BaseLayout', docExpansion: 'list' },
  })
  const page = errorsPage()
  app.get('/docs/errors', { schema: { hide: true } }, (_request, reply) =>
    reply.type('text/html; charset=utf-8').send(page),
  )
}
