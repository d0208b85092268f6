/** The faults that keep a client from a broker, each made for real. */
import { createServer } from 'node:net'
import { findFreePort } from '@kafka-pattern/local-stack'
import { startOwnKafka } from '@kafka-pattern/test-kit'
import { expect, onTestFinished, test } from 'vitest'
import { examineKafka, parseAddress } from './examine-kafka.ts'

async function examine(address: string) {
  const findings = await examineKafka([parseAddress(address)!])
  return findings.map(finding => ({
    kind: finding.kind,
    text: [finding.text, ...(finding.kind === 'fault' ? finding.remedy : [])].join('\n'),
  }))
}

async function kafkaAdvertising(advertised: (port: number) => string) {
  const port = await findFreePort()
  const kafka = await startOwnKafka({
    ports: [port],
    config: {
      'advertised.listeners': `PLAINTEXT://${advertised(port)}`,
      // A broker that stood still for longer is not named until its controller has heard of it again.
      'broker.session.timeout.ms': 60_000,
    },
  })
  return { kafka, port }
}

test('a broker that can be reached as it advertises itself is fine', async () => {
  const { port } = await kafkaAdvertising(own => `127.0.0.1:${own}`)
  const findings = await examine(`127.0.0.1:${port}`)
  expect(findings.map(({ kind }) => kind)).toEqual(['fine', 'fine', 'fine'])
  expect(findings[2]!.text).toBe(`broker 1 advertises 127.0.0.1:${port}, which answers`)
})

test('the classic fault: an advertised port that nothing listens on, while a client gets no further than the first connection', async () => {
  const closed = await findFreePort()
  const { port, kafka } = await kafkaAdvertising(() => `127.0.0.1:${closed}`)

  // What a person meets without the doctor.
  const admin = kafka.kafka.admin({ retry: { retries: 1 } })
  onTestFinished(() => admin.disconnect())
  await admin.connect()
  await expect(admin.createTopics({ topics: [{ topic: 'never' }] })).rejects.toThrow(
    /ECONNREFUSED|Connection/,
  )

  const findings = await examine(`127.0.0.1:${port}`)
  expect(findings.map(({ kind }) => kind)).toEqual(['fine', 'fine', 'fault'])
  expect(findings[2]!.text).toContain(
    `broker 1 advertises 127.0.0.1:${closed}, which cannot be reached from here: nothing listens there`,
  )
  expect(findings[2]!.text).toContain('KAFKA_ADVERTISED_LISTENERS')
  expect(findings[2]!.text).toContain('KAFKA_BROKERS')
})

test('an advertised name that this machine does not know, as that of a container', async () => {
  const { port } = await kafkaAdvertising(() => 'kafka-of-a-container.invalid:19092')
  const findings = await examine(`127.0.0.1:${port}`)
  expect(findings[2]).toMatchObject({ kind: 'fault' })
  expect(findings[2]!.text).toMatch(/the name kafka-of-a-container\.invalid is unknown here/)
})

test('nothing at the bootstrap address', async () => {
  const port = await findFreePort()
  const findings = await examine(`127.0.0.1:${port}`)
  expect(findings).toHaveLength(1)
  expect(findings[0]!.text).toContain(`127.0.0.1:${port} cannot be reached: nothing listens there`)
})

test('something that is no broker at the bootstrap address', async () => {
  const port = await findFreePort()
  const server = createServer(socket => {
    // The client hangs up when it has seen that this is no broker.
    socket.on('error', () => socket.destroy())
    socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')
  })
  onTestFinished(() => {
    server.close()
  })
  await new Promise<void>(resolve => server.listen(port, '127.0.0.1', resolve))
  const findings = await examine(`127.0.0.1:${port}`)
  expect(findings.map(({ kind }) => kind)).toEqual(['fine', 'fault'])
  expect(findings[1]!.text).toContain('does not answer as a Kafka broker')
})
