import type { AddressInfo } from 'node:net'
import express from 'express'

/** An Express 5 server whose `POST /create` answers 201 with what `create` returns; says its port on stdout. */
export function serveCreate(
  create: (body: Record<string, unknown>) => Promise<Record<string, unknown>>,
): void {
  const app = express()
  app.use(express.json())
  // oxlint-disable-next-line oxc/no-async-endpoint-handlers -- Express 5 answers 500 when the promise rejects
  app.post('/create', async (request, response) => {
    response.status(201).json(await create(request.body as Record<string, unknown>))
  })
  const server = app.listen(0, '127.0.0.1', () => {
    console.log(JSON.stringify({ msg: 'listening', port: (server.address() as AddressInfo).port }))
  })
}
