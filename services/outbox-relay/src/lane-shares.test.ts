import { expect, test } from 'vitest'
import { movesOf } from './lane-shares.ts'
import type { LaneState } from './lane-shares.ts'

/** `aab-`: lanes 0 and 1 are a's, lane 2 is b's, lane 3 nobody's. */
const lanes = (text: string): LaneState[] =>
  Array.from(text, (holder, lane) => ({ lane, holder: holder === '-' ? null : holder }))

test.each([
  ['alone, it takes all', 'a', '----', 'a', [], [0, 1, 2, 3]],
  ['the second one waits until it is given something', 'b', 'aaaa', 'ab', [], []],
  ['the first one gives up what is too much', 'a', 'aaaa', 'ab', [2, 3], []],
  ['and the second one takes it', 'b', 'aa--', 'ab', [], [2, 3]],
  ['who has its share takes no more', 'a', 'aa--', 'ab', [], []],
  ['the remainder goes to the first by name', 'a', '-----', 'ab', [], [0, 1, 2]],
  ['the lanes of a dead one are shared', 'a', 'ab--', 'ab', [], [2]],
  ['more relays than lanes: some have none', 'c', 'ab', 'abc', [], []],
  ['who is not counted yet takes nothing', 'x', '----', 'ab', [], []],
  ['all is well', 'a', 'abab', 'ab', [], []],
])('%s', (_what, relay, state, relays, release, claim) => {
  expect(movesOf(relay, lanes(state), Array.from(relays))).toEqual({ release, claim })
})

test('whatever the beginning, relays that decide one after the other come to equal shares, without taking from each other', () => {
  for (let round = 0; round < 200; round++) {
    const relays = ['a', 'b', 'c', 'd'].slice(0, 1 + Math.floor(Math.random() * 4))
    const state = Array.from({ length: 8 }, (_, lane) => ({
      lane,
      holder: [...relays, null][Math.floor(Math.random() * (relays.length + 1))] ?? null,
    }))
    for (let turn = 0; turn < 3; turn++) {
      for (const relay of relays) {
        const { release, claim } = movesOf(relay, state, relays)
        for (const lane of release) state[lane]!.holder = null
        for (const lane of claim) {
          expect(state[lane]!.holder).toBeNull()
          state[lane]!.holder = relay
        }
      }
    }
    const counts = relays.map(relay => state.filter(({ holder }) => holder === relay).length)
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(8)
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1)
  }
})
