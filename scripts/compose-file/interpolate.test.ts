import { expect, test } from 'vitest'
import { interpolate, variablesIn } from './interpolate.ts'

const variables = { SET: 'value', EMPTY: '', PORT: '4000' }

test.each([
  ['plain text', 'plain text'],
  ['$SET', 'value'],
  ['${SET}', 'value'],
  ['$MISSING-', '-'],
  ['${MISSING}', ''],
  ['${SET:-default}', 'value'],
  ['${MISSING:-default}', 'default'],
  ['${EMPTY:-default}', 'default'],
  ['${EMPTY-default}', ''],
  ['${MISSING-default}', 'default'],
  ['${MISSING:-}', ''],
  ['${SET:+instead}', 'instead'],
  ['${EMPTY:+instead}', ''],
  ['${EMPTY+instead}', 'instead'],
  ['${MISSING+instead}', ''],
  ['${MISSING:-kafka:19092}', 'kafka:19092'],
  ['${MISSING:-${PORT:-3001}}', '4000'],
  ['${MISSING:-${ALSO_MISSING:-3001}}/x', '3001/x'],
  ['127.0.0.1:${PORT:-3001}:${PORT:-3001}', '127.0.0.1:4000:4000'],
  ['$$SET costs $$1', '$SET costs $1'],
  ['${MISSING:-a$$b}', 'a$b'],
])('%s becomes %s', (template, expected) => {
  expect(interpolate(template, variables)).toBe(expected)
})

test.each(['${SET', '${}', '$', 'a $ b', '${1A}', '${SET!x}'])('%s is refused', template => {
  expect(() => interpolate(template, variables)).toThrow(/no valid template/)
})

test.each(['${MISSING:?say where}', '${EMPTY:?say where}', '${MISSING?say where}'])(
  '%s stops with its own message',
  template => {
    expect(() => interpolate(template, variables)).toThrow(/must be set: say where/)
  },
)

test('names the variables that a text uses', () => {
  expect(variablesIn('127.0.0.1:${PORT:-${BASE:-3001}}:$PORT $$NOT')).toEqual(['PORT', 'BASE'])
})
