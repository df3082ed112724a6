// A gateway of Fastify and its own plugins: node fastify.mjs MODULES PORT UPSTREAM CHECKS SECRET LIMIT
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const [modules, port, upstream, checks, secret, limit] = process.argv.slice(2)
const load = async (name) => {
  const found = createRequire(modules + '/').resolve(name)
  return (await import(pathToFileURL(found))).default
}

const fastify = (await load('fastify'))({ logger: false })
const options = { upstream: `http://127.0.0.1:${upstream}`, undici: { connections: 64 } }

if (checks === '1') {
  await fastify.register(await load('@fastify/jwt'), { secret })
  await fastify.register(await load('@fastify/rate-limit'), {
    hook: 'preHandler',
    max: Number(limit),
    timeWindow: 60000,
    keyGenerator: (request) => request.user.sub
  })
  fastify.addHook('onRequest', (request) => request.jwtVerify())
}
await fastify.register(await load('@fastify/http-proxy'), options)
await fastify.listen({ host: '127.0.0.1', port: Number(port) })
