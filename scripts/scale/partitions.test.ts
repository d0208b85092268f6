import { expect, test } from 'vitest'
import { describePartitions, partitionsOf } from './partitions.ts'

const user = (...partitions: number[]) => partitions.map(partition => ({ topic: 'user', partition }))
const expected = { service: 'sink', instances: ['sink', 'sink-2'], partitions: user(0, 1, 2) }
const both = [
  { clientId: 'sink', partitions: user(0, 2) },
  { clientId: 'sink-2', partitions: user(1) },
]

test('who has which partitions', () => {
  expect(partitionsOf(both, expected)).toEqual(
    new Map([
      ['sink', 'user/0,2'],
      ['sink-2', 'user/1'],
    ]),
  )
})

test('members of other names have their share, and are not waited for', () => {
  const members = [...both.slice(0, 1), { clientId: 'by hand', partitions: user(1) }]
  expect(partitionsOf(members, { ...expected, instances: ['sink'] })?.get('sink')).toBe('user/0,2')
})

test('more members than partitions: one has none', () => {
  const members = [...both, { clientId: 'sink-3', partitions: [] }]
  const three = { ...expected, instances: ['sink', 'sink-2', 'sink-3'] }
  expect(partitionsOf(members, three)?.get('sink-3')).toBe('')
})

test.each([
  ['an instance is no member yet', both.slice(0, 1)],
  ['one that went is still a member', [...both, { clientId: 'sink-3', partitions: [] }]],
  ['one that was killed is still a member beside its successor', [...both, both[1]!]],
  ['the group rebalances', both.map(member => ({ ...member, partitions: [] }))],
  ['a partition is nobody’s', [{ clientId: 'sink', partitions: user(0) }, both[1]!]],
  ['the group does not exist', []],
])('not settled: %s', (_what, members) => {
  expect(partitionsOf(members, expected)).toBeNull()
})

test('partitions in words, by topic', () => {
  expect(describePartitions([...user(10, 2), { topic: 'family', partition: 0 }])).toBe('user/2,10 family/0')
})
