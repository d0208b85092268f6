import { expect, test } from 'vitest'
import { datetimeFromIso, isoFromDatetime } from './timestamps.ts'

test.each([
  ['2026-11-23 12:00:00.123456', '2026-11-23T12:00:00.123456Z'],
  ['1970-01-01 00:00:00.000000', '1970-01-01T00:00:00.000000Z'],
])('%s is %s and back', (datetime, iso) => {
  expect(isoFromDatetime(datetime)).toBe(iso)
  expect(datetimeFromIso(iso)).toBe(datetime)
})
