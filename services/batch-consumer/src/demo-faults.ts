import { setTimeout as delay } from 'node:timers/promises'
import { headerText } from '@kafka-pattern/events'
import { NotRetryableError } from './handler.ts'
import type { BatchHandler } from './handler.ts'
import type { KafkaRecord } from '@kafka-pattern/kafka-config'

/** The record header that makes the handling of its record fail. */
export const DEMO_FAULT_HEADER = 'demo-fault'

/** What a `demo-fault` header asks for. */
export type DemoFault =
  /** `timeout:<n>`: fails n times, then works; `timeout:*` never works. */
  | { readonly kind: 'timeout'; readonly times: number }
  /** `reject`: fails in a way that no retry cures. */
  | { readonly kind: 'reject' }
  /** `slow:<ms>`: works, but takes that long. */
  | { readonly kind: 'slow'; readonly delayMs: number }

/** The fault that a header text asks for; null when it asks for none that is known. */
export function parseDemoFault(text: string | undefined): DemoFault | null {
  const [kind, argument = ''] = text?.split(':', 2) ?? []
  if (kind === 'reject') return { kind }
  if (kind === 'timeout' && argument === '*') return { kind, times: Infinity }
  if (!/^\d+$/.test(argument)) return null
  if (kind === 'timeout') return { kind, times: Number(argument) }
  if (kind === 'slow') return { kind, delayMs: Number(argument) }
  return null
}

/**
 * A downstream that goes wrong on demand, in front of `handle`; `handle` itself when not enabled. Like a real bulk write it
 * refuses a whole batch for one bad record, before anything is done, and does not say which. Only tries of the record alone
 * count as its failures, so that `timeout:2` is two retries whatever the size of the batch it came in.
 */
export function withDemoFaults(enabled: boolean, handle: BatchHandler): BatchHandler {
  if (!enabled) return handle
  const timeouts = new WeakMap<KafkaRecord, number>()
  return async (records, context) => {
    for (const { record } of records) {
      const fault = parseDemoFault(headerText(record.headers, DEMO_FAULT_HEADER))
      if (fault?.kind === 'reject') throw new NotRetryableError('the downstream rejects this record')
      if (fault?.kind === 'slow') await delay(fault.delayMs)
      if (fault?.kind !== 'timeout') continue
      const failed = timeouts.get(record) ?? 0
      if (failed >= fault.times) continue
      if (records.length === 1) timeouts.set(record, failed + 1)
      throw new Error('the downstream timed out')
    }
    await handle(records, context)
  }
}
