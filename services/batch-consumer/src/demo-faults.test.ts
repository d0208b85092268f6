import { describe, expect, test, vi } from 'vitest'
import { DEMO_FAULT_HEADER, parseDemoFault, withDemoFaults } from './demo-faults.ts'
import { NotRetryableError } from './handler.ts'
import type { BatchHandler, HandlerContext, ReadableRecord } from './handler.ts'

const context: HandlerContext = {
  topic: 'user',
  partition: 0,
  batch: 1,
  attempt: 1,
  signal: new AbortController().signal,
}

function record(fault?: string): ReadableRecord {
  const headers = fault === undefined ? {} : { [DEMO_FAULT_HEADER]: Buffer.from(fault) }
  return {
    record: { key: null, value: null, timestamp: '0', attributes: 0, offset: '0', headers },
    value: { id: '8e6f3cd0-0d10-4b5f-8a55-3d0c8f5d8f6a', event: 'create', level: 1, name: 'a' },
  }
}

test.each([
  ['timeout:2', { kind: 'timeout', times: 2 }],
  ['timeout:*', { kind: 'timeout', times: Infinity }],
  ['reject', { kind: 'reject' }],
  ['slow:250', { kind: 'slow', delayMs: 250 }],
  [undefined, null],
  ['', null],
  ['timeout', null],
  ['timeout:', null],
  ['timeout:-1', null],
  ['timeout:x', null],
  ['slow:*', null],
  ['explode', null],
])('header %j asks for %j', (text, fault) => {
  expect(parseDemoFault(text)).toEqual(fault)
})

describe('with demo faults', () => {
  test('a disabled fault is no fault: the handler itself is used', () => {
    const handle = vi.fn<BatchHandler>()
    expect(withDemoFaults(false, handle)).toBe(handle)
  })

  test('timeout:2 refuses every batch that holds it, fails twice alone, then works', async () => {
    const handle = vi.fn<BatchHandler>()
    const faulty = withDemoFaults(true, handle)
    const bad = record('timeout:2')
    const good = record()
    await expect(faulty([good, bad], context)).rejects.toThrow('timed out')
    await expect(faulty([bad, good], context)).rejects.toThrow('timed out')
    await expect(faulty([bad], context)).rejects.toThrow('timed out')
    await expect(faulty([bad], context)).rejects.toThrow('timed out')
    expect(handle).not.toHaveBeenCalled()
    await faulty([bad], context)
    expect(handle).toHaveBeenCalledExactlyOnceWith([bad], context)
  })

  test('timeout:* never works', async () => {
    const faulty = withDemoFaults(true, vi.fn<BatchHandler>())
    const bad = record('timeout:*')
    for (let attempt = 0; attempt < 10; attempt++)
      await expect(faulty([bad], context)).rejects.toThrow('timed out')
  })

  test('reject cannot be cured by a retry', async () => {
    const faulty = withDemoFaults(true, vi.fn<BatchHandler>())
    await expect(faulty([record('reject')], context)).rejects.toThrow(NotRetryableError)
  })
})
