import { expect, test } from 'vitest'
import { interpolate, variablesIn } from './interpolate.ts'

const variables = { SET: 'value', EMPTY: '', PORT: '4000' }

test.each([
  ['plain text', 'plain text'],
  ['${SET}', 'value'],
  ['${MISSING}', ''],
  ['${SET:-default}', 'value'],
  ['${MISSING:-default}', 'default'],
  ['${EMPTY:-default}', 'default'],
  ['${MISSING:-}', ''],
  ['${MISSING:-kafka:19092}', 'kafka:19092'],
  ['127.0.0.1:${PORT:-3001}:${PORT:-3001}', '127.0.0.1:4000:4000'],
  ['$${SET} costs $$1', '${SET} costs $1'],
])('%s becomes %s', (template, expected) => {
  expect(interpolate(template, variables)).toBe(expected)
})

test.each([
  '${SET',
  '${}',
  '$',
  'a $ b',
  '$SET',
  '${1A}',
  '${SET!x}',
  '${EMPTY-default}',
  '${SET:+instead}',
  '${MISSING:?say where}',
  '${MISSING:-${PORT:-3001}}',
])('%s is refused', template => {
  expect(() => interpolate(template, variables)).toThrow(/is not understood here/)
})

test('names the variables that a text uses', () => {
  expect(variablesIn('127.0.0.1:${PORT:-3001}:${BASE} ${PORT} $${NOT}')).toEqual(['PORT', 'BASE'])
})
