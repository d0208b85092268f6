/**
 * Which partition a record goes to, as the Java client decides it, so that producers in both languages put the same key
 * on the same partition: murmur2 of the key's bytes for a record with a key (org.apache.kafka.common.utils.Utils#murmur2,
 * BuiltInPartitioner#partitionForKey), and for one without a key whichever partition is being filled (KIP-480, KIP-794).
 */

/** The partition of a key. Strings are hashed as UTF-8. */
export function partitionForKey(key: string | Buffer, partitionCount: number): number {
  const hash = typeof key === 'string' ? murmur2OfString(key) : murmur2(key, key.length)
  return (hash & 0x7fffffff) % partitionCount
}

/**
 * The next partition to fill with records without a key: a random one of those that have a leader and are not the
 * current one. When no partition has a leader, any of them will do: its records wait for one.
 *
 * @param leaders leader of each partition, negative = none
 * @param random in [0, 1)
 */
export function nextStickyPartition(
  leaders: readonly number[],
  current: number | undefined,
  random: () => number,
): number {
  const led = leaders.flatMap((leader, partition) => (leader >= 0 ? [partition] : []))
  const candidates = led.length > 0 ? led : leaders.map((_leader, partition) => partition)
  const others = candidates.filter(partition => partition !== current)
  const among = others.length > 0 ? others : candidates
  return among[Math.floor(random() * among.length)] ?? 0
}

/** Short keys are encoded here, without an allocation for each; a longer one gets a buffer of its own. */
const scratch = Buffer.allocUnsafeSlow(1024)

function murmur2OfString(key: string): number {
  // A UTF-16 unit takes at most three bytes in UTF-8.
  if (key.length * 3 <= scratch.length) return murmur2(scratch, scratch.write(key))
  const bytes = Buffer.from(key)
  return murmur2(bytes, bytes.length)
}

const seed = 0x9747b28c
const m = 0x5bd1e995
const r = 24

/** The 32-bit hash of the first `length` bytes, as a signed integer like Java's. */
export function murmur2(data: Buffer, length: number): number {
  let h = seed ^ length
  const wholeWords = length & ~3
  for (let i = 0; i < wholeWords; i += 4) {
    let k = data[i]! | (data[i + 1]! << 8) | (data[i + 2]! << 16) | (data[i + 3]! << 24)
    k = Math.imul(k, m)
    k ^= k >>> r
    k = Math.imul(k, m)
    h = Math.imul(h, m) ^ k
  }
  const rest = length & 3
  if (rest === 3) h ^= data[wholeWords + 2]! << 16
  if (rest >= 2) h ^= data[wholeWords + 1]! << 8
  if (rest >= 1) h = Math.imul(h ^ data[wholeWords]!, m)
  h ^= h >>> 13
  h = Math.imul(h, m)
  return h ^ (h >>> 15)
}
