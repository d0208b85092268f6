import { soon } from '@kafka-pattern/test-kit/soon'
import { createKafka, kafkaSettings } from '@kafka-pattern/kafka-config'
import { createLogger } from '@kafka-pattern/service-runtime'
import { expect, test, vi } from 'vitest'
import { z } from 'zod'
import { CommittedCursors } from './committed-cursors.ts'

test('who waits for the positions says so, and what could be missing', async () => {
  const logger = createLogger({ name: 'test', level: 'silent' })
  const told = vi.spyOn(logger, 'warn')
  // Nobody listens there.
  const settings = z.object(kafkaSettings).parse({ KAFKA_BROKERS: '127.0.0.1:1' })
  const kafka = createKafka(settings, createLogger({ name: 'kafka', level: 'silent' }))
  const cursors = new CommittedCursors({ kafka, logger, lanes: 1, groupId: 'relay', topic: 'cursor' })
  const stopping = new AbortController()
  const read = cursors.read(stopping.signal)
  await soon(() => expect(told).toHaveBeenCalled())
  stopping.abort()
  await expect(read).rejects.toThrow('aborted')
  expect(told).toHaveBeenCalledWith(
    { attempt: 2, groupId: 'relay', err: expect.any(Error) },
    expect.stringContaining('the right to read the group'),
  )
}, 60_000)
