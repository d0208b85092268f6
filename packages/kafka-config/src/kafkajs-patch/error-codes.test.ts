import { expect, test } from 'vitest'
import { internal } from './kafkajs-under-test.ts'

const { createErrorFromCode } = internal('protocol/error')

test('a producer that was fenced is told so by name, and not to retry', () => {
  expect(createErrorFromCode(90)).toMatchObject({ type: 'PRODUCER_FENCED', retriable: false })
})

test('every error code from 89 to 100 has a name', () => {
  for (let code = 89; code <= 100; code++) {
    expect(createErrorFromCode(code).type).not.toBe('KAFKAJS_UNKNOWN_ERROR_CODE')
  }
})
