import { Writable } from 'node:stream'
import { expect, test } from 'vitest'
import { OutputClosedError, createLineOutput } from './line-output.ts'

/** A reader that takes one write at a time, when told to. */
function slowReader() {
  const taken: string[] = []
  const waiting: (() => void)[] = []
  const stream = new Writable({
    write(chunk: Buffer, _encoding, callback) {
      // The bytes are looked at when the reader comes to them, as the system does.
      waiting.push(() => {
        taken.push(chunk.toString('utf8'))
        callback()
      })
    },
  })
  return { stream, taken, waiting, takeOne: () => waiting.shift()?.() }
}

async function settle(): Promise<void> {
  await new Promise(resolve => setImmediate(resolve))
}

test('resolves only when the reader has everything, many lines to a write', async () => {
  const reader = slowReader()
  let done = false
  const printed = createLineOutput(reader.stream)(['a\n', 'b\n', 'ü\n']).then(() => (done = true))
  await settle()
  expect([done, reader.waiting.length]).toEqual([false, 1])
  reader.takeOne()
  await printed
  expect(reader.taken).toEqual(['a\nb\nü\n'])
})

test('never asks for more lines than the reader has taken, but for one page', async () => {
  const reader = slowReader()
  const line = `${'x'.repeat(999)}\n`
  let asked = 0
  const printed = createLineOutput(reader.stream)(
    (function* () {
      for (; asked < 1_000; asked++) yield line
    })(),
  )
  await settle()
  expect(asked).toBeLessThan(70)
  for (let taken = 0; taken < 1_000; taken = reader.taken.join('').length / 1_000) {
    reader.takeOne()
    await settle()
  }
  await printed
  expect(reader.taken.join('')).toBe(line.repeat(1_000))
})

test('a line larger than a page is written whole, and in its place', async () => {
  const reader = slowReader()
  const lines = ['before\n', `${'€'.repeat(100_000)}\n`, 'after\n']
  const printed = createLineOutput(reader.stream)(lines)
  for (let i = 0; i < 3; i++) {
    await settle()
    reader.takeOne()
  }
  await printed
  expect(reader.taken).toEqual(lines)
})

test('what is printed while the reader is busy comes after, and complete', async () => {
  const reader = slowReader()
  const print = createLineOutput(reader.stream)
  const both = [print(['first\n']), print(['second\n'])]
  await settle()
  expect(reader.waiting).toHaveLength(1)
  reader.takeOne()
  await settle()
  reader.takeOne()
  await Promise.all(both)
  expect(reader.taken).toEqual(['first\n', 'second\n'])
})

test('a reader that has gone is an error of whoever prints, each time', async () => {
  const closed = Object.assign(new Error('write EPIPE'), { code: 'EPIPE' })
  const stream = new Writable({
    autoDestroy: false,
    write: (_chunk, _encoding, callback) => callback(closed),
  })
  const print = createLineOutput(stream)
  await expect(print(['a\n'])).rejects.toThrow(OutputClosedError)
  await expect(print(['b\n'])).rejects.toThrow(/nobody reads/)
})
