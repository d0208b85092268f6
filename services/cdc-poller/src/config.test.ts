import { parseSettings } from '@kafka-pattern/service-runtime'
import { describe, expect, test } from 'vitest'
import {
  Settings,
  deliveryTimeoutMsOf,
  largestRecordBytesOf,
  leaseOf,
  tableOf,
  topicSpecOf,
} from './config.ts'
import type { Environment } from '@kafka-pattern/service-runtime'

const read = (environment: Environment = {}) => parseSettings(Settings, environment)

describe('settings', () => {
  test('the defaults follow users', () => {
    expect(tableOf(read())).toEqual({
      table: 'users',
      keyColumns: ['id'],
      updatedAtColumn: 'updated_at',
      versionColumn: 'version',
      deletedAtColumn: 'deleted_at',
    })
    expect(topicSpecOf(read())).toMatchObject({
      topic: 'cdc.users',
      partitions: 3,
      configs: { 'cleanup.policy': 'compact' },
    })
  })

  test('any other table', () => {
    const settings = read({
      TABLE: 'orders',
      KEY_COLUMNS: 'shop, number',
      UPDATED_AT_COLUMN: 'changed',
      VERSION_COLUMN: 'revision',
      DELETED_AT_COLUMN: 'none',
      KAFKA_TOPIC: 'cdc.orders',
    })
    expect(tableOf(settings)).toEqual({
      table: 'orders',
      keyColumns: ['shop', 'number'],
      updatedAtColumn: 'changed',
      versionColumn: 'revision',
      deletedAtColumn: null,
    })
    expect(leaseOf(settings).name).toBe('cdc.orders')
  })

  test('the topic belongs to the table: another table needs one of its own', () => {
    expect(() => read({ TABLE: 'orders' })).toThrow(/KAFKA_TOPIC/)
  })

  test('a delivery ends before a lease can', () => {
    const settings = read({ LEASE_MS: '3000' })
    expect(deliveryTimeoutMsOf(settings)).toBeLessThan((settings.LEASE_MS * 2) / 3)
  })

  test.each([
    ['the shortest lease: more than a topic takes by default', 1_000, 1_677_721],
    ['half of the default', 5_000, 8_388_608],
    ['the default', 10_000, 16_777_216],
    ['the longest: no more', 600_000, 16_777_216],
  ])('a record can be sent within half of %s', (_name, leaseMs, bytes) => {
    expect(largestRecordBytesOf(read({ LEASE_MS: String(leaseMs) }))).toBe(bytes)
  })

  test.each<[string, string]>([
    ['TABLE', 'users; DROP TABLE users'],
    ['KEY_COLUMNS', 'id,na`me'],
    ['OVERLAP_MS', '999'],
    ['LEASE_MS', '999'],
    ['PAGE_ROWS', '0'],
    ['POLL_INTERVAL_MS', '0'],
    ['POLLER_CURSOR', 'highest'],
    ['KAFKA_TOPIC', 'cdc users'],
    ['REMEMBERED_ROWS', '33554433'],
  ])('refuses %s = %s', (key, value) => {
    expect(() => read({ [key]: value })).toThrow(new RegExp(key))
  })
})
