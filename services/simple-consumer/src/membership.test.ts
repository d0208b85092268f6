import { expect, test } from 'vitest'
import { chooseMembership } from './membership.ts'

test('without a group each process is alone in one of its own, named after the client', () => {
  const first = chooseMembership({ KAFKA_CLUSTER_NAME: 'audit' })
  const second = chooseMembership({ KAFKA_CLUSTER_NAME: 'audit' })
  expect(first).toEqual({
    mode: 'broadcast',
    groupId: expect.stringMatching(/^audit\.broadcast\.[0-9a-f-]{36}$/),
  })
  expect(second.groupId).not.toBe(first.groupId)
})

test('with a group it is a member of that group', () => {
  const membership = chooseMembership({ KAFKA_CLUSTER_NAME: 'audit', KAFKA_CONSUMER_GROUP: 'printers' })
  expect(membership).toEqual({ mode: 'shared', groupId: 'printers' })
})
