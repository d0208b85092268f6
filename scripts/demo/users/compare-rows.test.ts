import { expect, test } from 'vitest'
import { compareRows } from './compare-rows.ts'

const ada = { id: 'a', name: 'Ada', version: '2', deleted_at: null }
const grace = { id: 'g', name: 'Grace', version: '1', deleted_at: '2026-01-01 00:00:00.000001' }

test('equal rows are equal in any order', () => {
  expect(compareRows([ada, grace], [{ ...grace }, { ...ada }])).toEqual([])
  expect(compareRows([], [])).toEqual([])
})

test('a missing row, one too many, and every column that differs are told', () => {
  expect(compareRows([ada, grace], [{ ...ada, name: 'Eve', version: '1' }])).toEqual([
    'a: name Ada is Eve, version 2 is 1',
    'g is missing',
  ])
  expect(compareRows([ada], [ada, grace])).toEqual(['g is only in the replica'])
  expect(compareRows([grace], [{ ...grace, deleted_at: null }])).toEqual([
    'g: deleted_at 2026-01-01 00:00:00.000001 is null',
  ])
})
