export interface FetchedPartition {
  recordSet: Buffer
  abortedTransactions: { producerId: string; firstOffset: string }[]
}

/** A broker's answer to a fetch of one partition: Fetch response, version 11. */
export function encodeFetchResponse({ recordSet, abortedTransactions }: FetchedPartition): Buffer {
  const highWatermark = int64(2n ** 61n)
  const response = [int32(0), int16(0), int32(0)]
  const topic = [int32(1), int16(5), Buffer.from('topic')]
  const partition = [int32(1), int32(0), int16(0), highWatermark, highWatermark, int64(0n)]
  const aborted = abortedTransactions.flatMap(t => [
    int64(BigInt(t.producerId)),
    int64(BigInt(t.firstOffset)),
  ])
  return Buffer.concat([
    ...response,
    ...topic,
    ...partition,
    int32(abortedTransactions.length),
    ...aborted,
    int32(-1),
    int32(recordSet.length),
    recordSet,
  ])
}

function int16(value: number): Buffer {
  return Buffer.from([value >> 8, value])
}

function int32(value: number): Buffer {
  return Buffer.from([value >> 24, value >> 16, value >> 8, value])
}

function int64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64BE(value)
  return bytes
}
