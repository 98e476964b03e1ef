import { afterAll, describe, expect, test } from 'vitest'
import { closeAll, send, startHttp } from './start-http.ts'

afterAll(closeAll)

describe('listen', () => {
  test('says where', async () => {
    expect((await startHttp({ host: 'localhost' })).url).toMatch(/^http:\/\/localhost:\d+$/)
    expect((await startHttp({ host: '0.0.0.0' })).url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
  })

  test('says what is wrong with an address', async () => {
    const { url } = await startHttp()
    const port = Number(new URL(url).port)

    await expect(startHttp({ port })).rejects.toMatchObject({
      code: 'service_failed',
      message: expect.stringContaining(`"127.0.0.1:${port}": another process listens there`),
    })
    await expect(startHttp({ host: '192.0.2.1' })).rejects.toMatchObject({ code: 'service_failed' })
  })
})

describe('close', () => {
  test('may be called twice, and frees the port', async () => {
    const { url, server } = await startHttp()
    await Promise.all([server.close(), server.close()])
    await server.close()

    await expect(send(url)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })
})

describe('the first page', () => {
  test('is the board, or the docs where there is none', async () => {
    const { url } = await startHttp()
    const bare = await startHttp({ board: false })

    expect((await send(url)).headers.location).toBe('/board/')
    expect((await send(bare.url)).headers.location).toBe('/docs/')
    expect((await send(`${bare.url}/board/`)).status).toBe(404)
  })
})
