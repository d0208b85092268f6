import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { isPlainUuid } from './plain-uuid.ts'

const form = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

test('every character at every place is judged as the form says', () => {
  const characters = Array.from({ length: 0x200 }, (_, code) => String.fromCharCode(code))
  const more = '\u2d00\u302d\uff10\ud83d\ude00'.split('')
  const uuid = randomUUID()
  const changed = Array.from(uuid, (_, at) =>
    [...characters, ...more].map(character => uuid.slice(0, at) + character + uuid.slice(at + 1)),
  ).flat()
  const accepted = changed.filter(isPlainUuid)
  expect(accepted).toEqual(changed.filter(text => form.test(text)))
  expect(accepted.length).toBeGreaterThan(36)
  expect(accepted.filter(text => !z.uuid().safeParse(text).success)).toEqual([])
})

test('other lengths and dashes in other places are not plain', () => {
  const uuid = '0b9c1a52-7d0e-4c8f-9a3b-5e6f7a8b9c0d'
  // Each dash changes places with the digit before it.
  const moved = [8, 13, 18, 23].map(at => `${uuid.slice(0, at - 1)}-${uuid[at - 1]}${uuid.slice(at + 1)}`)
  expect(moved.map(text => text.length)).toEqual(moved.map(() => uuid.length))
  for (const text of [
    '',
    uuid.slice(1),
    `${uuid}0`,
    uuid.replaceAll('-', ''),
    ...moved,
    uuid.toUpperCase(),
  ]) {
    expect(isPlainUuid(text)).toBe(false)
  }
})
