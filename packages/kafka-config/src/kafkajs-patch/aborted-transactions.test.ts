import { expect, test } from 'vitest'
import { internal } from './kafkajs-under-test.ts'

const filterAbortedMessages = internal('consumer/filterAbortedMessages')

const abort = Buffer.from([0, 0, 0, 0])
const commit = Buffer.from([0, 0, 0, 1])

/** `a` and `b` are messages of two producers, `A` and `B` their abort markers, `C` a commit marker of the second. */
function messagesOf(log: string) {
  return Array.from(log, (letter, offset) => ({
    offset: String(offset),
    key: letter === 'C' ? commit : letter === letter.toUpperCase() ? abort : Buffer.from('key'),
    isControlRecord: letter === letter.toUpperCase(),
    batchContext: { producerId: letter.toLowerCase() === 'a' ? '1' : '2', inTransaction: true },
    letter,
  }))
}

function visible(log: string, abortedTransactions: { producerId: string; firstOffset: string }[]): string {
  const seen = filterAbortedMessages({ messages: messagesOf(log), abortedTransactions })
  return seen.map(({ letter }) => letter).join('')
}

test('transactions that overlap and were aborted are not seen, in whichever order they ended', () => {
  const first = { producerId: '1', firstOffset: '0' }
  const second = { producerId: '2', firstOffset: '1' }
  // The broker lists first what ended first.
  expect(visible('abaBA', [second, first])).toBe('BA')
  expect(visible('ababABbC', [first, second])).toBe('ABbC')
})

test('several aborted transactions that began before the first message that was fetched are all known', () => {
  const messages = messagesOf('..abAB').slice(2)
  const abortedTransactions = [
    { producerId: '2', firstOffset: '1' },
    { producerId: '1', firstOffset: '0' },
  ]
  const seen = filterAbortedMessages({ messages, abortedTransactions })
  expect(seen.map(({ letter }) => letter).join('')).toBe('AB')
})

test('a record whose key has the bytes of an abort marker does not end an aborted transaction', () => {
  const messages = messagesOf('aaaA')
  messages[1]!.key = abort
  const abortedTransactions = [{ producerId: '1', firstOffset: '0' }]
  const seen = filterAbortedMessages({ messages, abortedTransactions })
  expect(seen.map(({ letter }) => letter).join('')).toBe('A')
})
