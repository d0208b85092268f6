import type { ConsumerGroup, PartitionEnds } from '@kafka-pattern/kafka-config'
import { expect, test } from 'vitest'
import { judgeGroups, judgePositions } from './consumer-lag.ts'

const partition = (number: number) => ({ topic: 'user', partition: number })
const at = (number: number, offset: string) => ({ ...partition(number), offset, metadata: '' })
const ends: PartitionEnds[] = [0, 1, 2].map(number => ({ ...partition(number), start: '0', end: '12' }))

const group: ConsumerGroup = {
  groupId: 'batch-consumer',
  members: [
    { clientId: 'batch-consumer', partitions: [partition(0)] },
    { clientId: 'batch-consumer-2', partitions: [partition(2)] },
  ],
  committed: [at(0, '9'), at(1, '12')],
}

test('the lag of a partition is its end less what is committed, and everybody knows whose it is', () => {
  expect(judgeGroups([group], ends).groups).toEqual([
    {
      group: 'batch-consumer',
      lag: 3,
      partitions: [
        { ...partition(0), position: '9', end: '12', lag: 3, consumer: 'batch-consumer' },
        // Somebody was here, and left.
        { ...partition(1), position: '12', end: '12', lag: 0, consumer: null },
        // Somebody is here, and has committed nothing yet.
        { ...partition(2), position: null, end: '12', lag: null, consumer: 'batch-consumer-2' },
      ],
    },
  ])
})

test('a group of nobody that has committed nothing is not told of', () => {
  const left = { ...group, committed: [], members: [] }
  expect(judgeGroups([left], ends)).toEqual({ groups: [], listeners: [] })
})

test('who commits nothing has no lag, but is told of', () => {
  const listener = { ...group, groupId: 'simple-consumer.broadcast.1', committed: [] }
  expect(judgeGroups([listener], ends)).toEqual({
    groups: [],
    listeners: [
      {
        group: 'simple-consumer.broadcast.1',
        consumers: ['batch-consumer', 'batch-consumer-2'],
        partitions: 2,
      },
    ],
  })
})

test('offsets beyond what a double holds, a position that is ahead of an end just read, a topic that is gone', () => {
  const far = { ...group, committed: [at(0, '9007199254740993'), at(1, '13'), at(7, '1')] }
  const farEnds = [{ ...partition(0), start: '0', end: '9007199254740995' }, ends[1]!]
  const { partitions } = judgeGroups([far], farEnds).groups[0]!
  expect(partitions.map(({ lag }) => lag)).toEqual([2, 0])
})

test('positions that a sink keeps for its group; the group tells who has the partitions', () => {
  const positions = [
    { ...partition(0), group: 'batch-consumer', offset: '11' },
    { ...partition(1), group: 'gone', offset: '2' },
  ]
  expect(judgePositions(positions, [group], ends)).toEqual([
    {
      group: 'batch-consumer',
      lag: 1,
      partitions: [{ ...partition(0), position: '11', end: '12', lag: 1, consumer: 'batch-consumer' }],
    },
    {
      group: 'gone',
      lag: 10,
      partitions: [{ ...partition(1), position: '2', end: '12', lag: 10, consumer: null }],
    },
  ])
})
