import type { IncomingMessage, ServerResponse } from 'node:http'
import type { FastifyBaseLogger, FastifyInstance, RawServerDefault } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import type { ErrorCode } from '../errors.ts'

/** Fastify with routes typed by their zod schemas. */
export type HttpApp = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  ZodTypeProvider
>

declare module 'fastify' {
  interface FastifyRequest {
    /** Name of the API key that was used; `null` when none is needed. */
    caller: string | null
  }

  interface FastifyContextConfig {
    /** True: answered without an API key. */
    open?: boolean
    /** Errors of this route alone, for OpenAPI. Those of every route are added there. */
    errors?: readonly ErrorCode[]
  }
}
