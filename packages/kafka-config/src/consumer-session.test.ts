import kafkajs from 'kafkajs'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { leaveApart } from './consumer-session.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const sleep = (ms: number) => new Promise<void>(resolve => setTimeout(resolve, ms))
const protocol = (type: string, retriable: boolean): Error =>
  Object.assign(new Error(type), { name: 'KafkaJSProtocolError', type, retriable })
const refusedConnection = Object.assign(new Error('connection refused'), { code: 'ECONNREFUSED' })
const noCoordinator = protocol('GROUP_COORDINATOR_NOT_AVAILABLE', true)

describe('a member that leaves over connections of its own', () => {
  test.each([
    ['a broker of the list that is away', 'connect', refusedConnection],
    ['a coordinator that is not elected yet', 'findGroupCoordinator', noCoordinator],
    ['a coordinator that has moved', 'leaveGroup', protocol('NOT_COORDINATOR_FOR_GROUP', true)],
  ] as const)('tries again after %s', async (_what, step, error) => {
    const { steps, leave, memory, warnings } = member()
    steps[step].mockRejectedValueOnce(error)
    const left = leave()
    await vi.advanceTimersByTimeAsync(200)
    await left
    expect(steps[step]).toHaveBeenCalledTimes(2)
    expect(steps.leaveGroup).toHaveBeenLastCalledWith({ groupId: 'group', memberId: 'member' })
    expect(memory.abandonedMemberId).toBeUndefined()
    expect(warnings).toEqual([])
  })

  test('has left when the coordinator does not know it', async () => {
    const { steps, leave, memory, warnings } = member()
    steps.leaveGroup.mockRejectedValue(protocol('UNKNOWN_MEMBER_ID', false))
    await leave()
    expect(steps.leaveGroup).toHaveBeenCalledTimes(1)
    expect(memory.abandonedMemberId).toBeUndefined()
    expect(warnings).toEqual([])
  })

  test('gives up at once when it has no right to', async () => {
    const { steps, leave, warnings } = member()
    steps.findGroupCoordinator.mockRejectedValue(protocol('GROUP_AUTHORIZATION_FAILED', false))
    await leave()
    expect(steps.findGroupCoordinator).toHaveBeenCalledTimes(1)
    expect(warnings).toEqual(['GROUP_AUTHORIZATION_FAILED'])
  })

  test.each([
    [
      'refuse every connection',
      () => sleep(10).then(() => Promise.reject(refusedConnection)),
      'connection refused',
    ],
    ['answer nothing', () => new Promise<void>(() => {}), 'no answer'],
  ])('gives up within five seconds, and for good, when the brokers %s', async (_what, connect, reason) => {
    const { steps, leave, memory, warnings } = member()
    steps.connect.mockImplementation(connect)
    const left = leave()
    await vi.advanceTimersByTimeAsync(5_000)
    await left
    expect(warnings).toEqual([reason])
    expect(memory.abandonedMemberId).toBe('member')
    const attempts = steps.connect.mock.calls.length
    await vi.advanceTimersByTimeAsync(60_000)
    expect(steps.connect).toHaveBeenCalledTimes(attempts)
  })
})

/** A member of which the coordinator has not heard that it left, and each step on the way to telling it. */
function member() {
  const kafka = new kafkajs.Kafka({ brokers: ['127.0.0.1:1'], logLevel: kafkajs.logLevel.NOTHING })
  const cluster = kafka.cluster()
  const leaveGroup = vi.fn<(member: { groupId: string; memberId: string }) => Promise<void>>()
  const findGroupCoordinator = vi.mocked(vi.spyOn(cluster, 'findGroupCoordinator'), { partial: true })
  const steps = {
    connect: vi.spyOn(cluster, 'connect').mockResolvedValue(),
    findGroupCoordinator: findGroupCoordinator.mockResolvedValue({ leaveGroup }),
    leaveGroup: leaveGroup.mockResolvedValue(),
  }
  vi.spyOn(cluster, 'refreshMetadata').mockResolvedValue()
  vi.spyOn(cluster, 'disconnect').mockResolvedValue()
  vi.spyOn(kafka, 'cluster').mockReturnValue(cluster)
  const memory: { abandonedMemberId: string | undefined } = { abandonedMemberId: 'member' }
  const warnings: string[] = []
  const logger = pino({ level: 'warn' }, { write: line => void warnings.push(JSON.parse(line).reason) })
  const leave = () => leaveApart(kafka, { memory, options: { groupId: 'group', logger } })
  return { steps, memory, warnings, leave }
}
