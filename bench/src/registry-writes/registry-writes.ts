/** What the outbox costs those who write: `POST /users`, with the row alone and with its event in the same transaction. */
import { startService, type FigureOptions, type PreparedFigure } from '../database/figure.ts'
import { loadHttp } from '../run-script.ts'

export function prepareRegistryWrites({ databases, durationMs }: FigureOptions): Promise<PreparedFigure> {
  return Promise.resolve({
    async run({ contestant: { run }, round }) {
      if (run.kind !== 'service') throw new TypeError(`nobody knows how to start a ${run.kind}`)
      const database = await databases.createDatabase()
      const server = startService(databases, database, run.service, run.env)
      try {
        await server.line(line => line['msg'] === 'ready')
        return await loadHttp(server, {
          path: '/users',
          warmUpMs: round === 0 ? 1_000 : 2_000,
          durationMs: round === 0 ? 1_000 : durationMs,
        })
      } finally {
        await server.stop()
        await database.drop()
      }
    },
    close: () => Promise.resolve(),
  })
}
