/* oxlint-disable typescript/no-unsafe-enum-assignment -- the numbers of the protocol: kafkajs, whose enums they are, is not for services */
import { eventually, startOwnKafka, withAdmin } from '@kafka-pattern/test-kit'
import { expect, test } from 'vitest'
import { createOutbox, insertEvent, insertEvents, publishedVersions } from './test-relay.ts'
import type { RunningService, TestKafka } from '@kafka-pattern/test-kit'

// https://kafka.apache.org/protocol: AclOperation and AclPermissionType
const [WRITE, DESCRIBE] = [4, 8]
const [DENY, ALLOW] = [2, 3]
type Rule = { operation: number; permissionType: number }

test('rights on a topic that are taken away for a while, and a relay started meanwhile: nothing is parked, all is published in order', async () => {
  const kafka = await startOwnKafka({
    config: {
      'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
      // Whoever a rule names may do no more than the rules say, and everybody else everything.
      'allow.everyone.if.no.acl.found': 'true',
    },
  })
  const outbox = await createOutbox({ kafka })
  const relay = await outbox.startRelay()
  await insertEvent(outbox, { aggregateid: 'a', version: 1 })
  await publishedVersions(outbox.topic, { count: 1, on: kafka })

  const after = relay.logLines.length
  const mayNotWrite = { operation: WRITE, permissionType: DENY }
  const mayLook = { operation: DESCRIBE, permissionType: ALLOW }
  await addRules(kafka, outbox.topic, [mayNotWrite, mayLook])
  await insertEvents(
    outbox.database.root,
    outbox.type,
    Array.from({ length: 20 }, (_, i) => ({ aggregateid: 'a', version: i + 2 })),
  )
  await untilNotReady(relay)
  const { err } = await relay.waitForLog(({ msg }) => msg === 'transaction failed, begun anew', { after })
  expect(JSON.stringify(err)).toContain(`may not write to ${outbox.topic}: grant WRITE and DESCRIBE`)

  // Not WRITE, not even for a moment.
  await removeRules(kafka, outbox.topic, DESCRIBE)
  expect(await relay.stop()).toBe(0)
  const next = await outbox.startRelay({}, { waitReady: false })
  await next.waitForLog(({ msg }) => msg?.startsWith(`the rights on ${outbox.topic} are missing`) === true)
  await untilNotReady(next)

  await removeRules(kafka, outbox.topic)
  const versions = Array.from({ length: 21 }, (_, i) => i + 1)
  expect(await publishedVersions(outbox.topic, { count: 21, on: kafka })).toEqual(new Map([['a', versions]]))
  expect(await outbox.database.root.rows('SELECT seq FROM relay_parked')).toEqual([])
  expect(next.exit).toBeNull()
}, 300_000)

function untilNotReady(relay: RunningService): Promise<void> {
  return eventually(async () => expect((await fetch(`${relay.probeUrl}/readyz`)).status).toBe(503), {
    what: 'the relay to say that it is not ready',
  })
}

const [TOPIC, LITERAL, ANY] = [2, 3, 1]

function addRules(on: TestKafka, topic: string, rules: readonly Rule[]): Promise<unknown> {
  const whose = { principal: 'User:ANONYMOUS', host: '*' }
  const what = { resourceType: TOPIC, resourceName: topic, resourcePatternType: LITERAL }
  return withAdmin(on, admin =>
    admin.createAcls({ acl: rules.map(rule => ({ ...whose, ...what, ...rule })) }),
  )
}

function removeRules(on: TestKafka, topic: string, operation = ANY): Promise<unknown> {
  const filter = { resourceType: TOPIC, resourceName: topic, resourcePatternType: LITERAL }
  return withAdmin(on, admin =>
    admin.deleteAcls({ filters: [{ ...filter, operation, permissionType: ANY }] }),
  )
}
