import { expect, test } from 'vitest'
import { PublishedVersions } from './published-versions.ts'

const moment = (n: number) => `2026-01-01 00:00:00.${String(n).padStart(6, '0')}`

test('only the last published version of a row is known', () => {
  const published = new PublishedVersions(10)
  published.add('a', '1', moment(1))
  published.add('a', '2', moment(2))
  expect(published.has('a', '2')).toBe(true)
  expect(published.has('a', '1')).toBe(false)
  expect(published.has('b', '2')).toBe(false)
})

test('a version that two doubles cannot tell apart is news', () => {
  const published = new PublishedVersions(10)
  published.add('a', '9007199254740992', moment(1))
  expect(published.has('a', '9007199254740993')).toBe(false)
})

test('what may be read again is kept, the rest is forgotten', () => {
  const published = new PublishedVersions(100)
  for (let n = 1; n <= 10; n++) {
    published.add(`row ${n}`, '1', moment(n))
    published.forgetBefore(moment(n - 2))
    for (let kept = Math.max(1, n - 2); kept <= n; kept++)
      expect(published.has(`row ${kept}`, '1')).toBe(true)
  }
  expect(published.size).toBeLessThan(10)
  published.forgetBefore(moment(11))
  published.forgetBefore(moment(11))
  expect(published.size).toBe(0)
})

test('it never grows beyond its limit: the oldest are forgotten', () => {
  const published = new PublishedVersions(1_000)
  for (let n = 0; n < 10_000; n++) {
    published.add(`row ${n}`, '1', moment(n))
    expect(published.size).toBeLessThanOrEqual(1_000)
  }
  for (let n = 9_500; n < 10_000; n++) expect(published.has(`row ${n}`, '1')).toBe(true)
  expect(published.has('row 0', '1')).toBe(false)
})

test('of a row that is in both generations the newer version counts', () => {
  const published = new PublishedVersions(2)
  published.add('a', '1', moment(1))
  published.add('a', '2', moment(2))
  expect(published.has('a', '1')).toBe(false)
  expect(published.has('a', '2')).toBe(true)
})
