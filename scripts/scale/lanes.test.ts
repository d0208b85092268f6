import { expect, test } from 'vitest'
import { lanesOf } from './lanes.ts'
import { isOwner } from './lease-owner.ts'

const relays = [
  { name: 'relay', process: { host: 'h', pid: 10 } },
  { name: 'relay-2', process: { host: 'h', pid: 11 } },
]
const lanes = (...holders: (string | null)[]) => holders.map((holder, lane) => ({ lane, holder }))

test('who has which lanes', () => {
  expect(lanesOf(lanes('h-10', 'h-11', 'h-10', 'h-11', 'h-10'), relays)).toEqual(
    new Map([
      ['relay', 'lane 0,2,4'],
      ['relay-2', 'lane 1,3'],
    ]),
  )
})

test('more relays than lanes: one has none', () => {
  expect(lanesOf(lanes('h-11'), relays)).toEqual(
    new Map([
      ['relay', ''],
      ['relay-2', 'lane 0'],
    ]),
  )
})

test.each([
  ['a lane is nobody’s', lanes('h-10', null, 'h-11')],
  ['a lane is still held by one that went', lanes('h-10', 'h-12', 'h-11')],
  ['one has less than its share', lanes('h-10', 'h-10', 'h-10')],
])('not settled: %s', (_what, held) => {
  expect(lanesOf(held, relays)).toBeNull()
})

test.each([
  ['h-10', { host: 'h', pid: 10 }, '-', true],
  ['h-100', { host: 'h', pid: 10 }, '-', false],
  ['h/10/1795464201586', { host: 'h', pid: 10 }, '/', true],
  // In a container the pid is another one inside than outside.
  ['3f0c6ab41c3d-7', { host: '3f0c6ab41c3d', pid: null }, '-', true],
  ['3f0c6ab41c3d/7/1795464201586', { host: '3f0c6ab41c3d', pid: null }, '/', true],
  ['3f0c6ab41c3e-7', { host: '3f0c6ab41c3d', pid: null }, '-', false],
])('the lease of %s and the process %j', (owner, process, separator, owns) => {
  expect(isOwner(owner, process, separator)).toBe(owns)
})
