/**
 * A cursor as Kafka keeps it: the high mark is the offset, the holes are the offset's metadata. Pure.
 *
 * The metadata is `<version>/<lanes>/<holes>`. Brokers take 4,096 characters by default (`offset.metadata.max.bytes`), so the holes are
 * written as distances, downwards from the high mark, in the base64 VLQ of source maps: five bits a character, the sixth says
 * whether there is more. A hole of one number is its distance times two; a longer one that plus one, and then its length less two.
 * Holes of single numbers that are 15 apart cost a character each, 500 apart two.
 */
import { exitCodes } from '@kafka-pattern/service-runtime'
import type { Cursor } from './cursor.ts'
import type { SeqRange, SeqRanges } from './seq-ranges.ts'

/** Less than brokers allow by what precedes the holes. */
export const holesLimitChars = 4_000

const version = '1'
const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
const valueOf = new Map(Array.from(digits, (digit, value) => [digit, value]))

export interface CursorText {
  readonly offset: string
  readonly metadata: string
}

/** What Kafka keeps is not what this version of the relay writes, or another number of lanes wrote it. */
export class ForeignCursorError extends Error {
  readonly exitCode = exitCodes.badSettings
  constructor(message: string) {
    super(message)
    this.name = 'ForeignCursorError'
  }
}

export function writeCursor({ high, holes }: Cursor, lanes: number): CursorText {
  return { offset: String(high), metadata: `${version}/${lanes}/${writeHoles(high, holes)}` }
}

/** @throws ForeignCursorError */
export function readCursor({ offset, metadata }: CursorText, lanes: number): Cursor {
  const [foundVersion, foundLanes, holes] = splitMetadata(metadata)
  if (foundVersion !== version || holes === undefined) {
    throw new ForeignCursorError(
      `the committed position ${JSON.stringify(metadata)} was not written by this relay`,
    )
  }
  if (foundLanes !== String(lanes)) {
    throw new ForeignCursorError(
      `the committed position belongs to ${foundLanes} lanes, but RELAY_LANES is ${lanes}`,
    )
  }
  const high = Number(offset)
  return { high, holes: readHoles(high, holes) }
}

/** How much the range adds to the text, when the next one above it, or the high mark, is at `above`. */
export function charsOf({ from, to }: SeqRange, above: number): number {
  const length = to - from + 1
  const distance = (above - to) * 2
  return length === 1 ? charsOfVlq(distance) : charsOfVlq(distance + 1) + charsOfVlq(length - 2)
}

/** How much all of them add to it, at most, however far above them the high mark is. */
export function charsOfHoles(holes: SeqRanges): number {
  return holes.reduce((sum, hole, i) => sum + charsOf(hole, holes[i + 1]?.from ?? Number.MAX_SAFE_INTEGER), 0)
}

function splitMetadata(metadata: string): string[] {
  const first = metadata.indexOf('/')
  const second = metadata.indexOf('/', first + 1)
  // The digits of the holes include the slash.
  return second < 0
    ? []
    : [metadata.slice(0, first), metadata.slice(first + 1, second), metadata.slice(second + 1)]
}

function writeHoles(high: number, holes: SeqRanges): string {
  let text = ''
  let above = high
  for (const { from, to } of holes.toReversed()) {
    const length = to - from + 1
    const distance = (above - to) * 2
    text += length === 1 ? writeVlq(distance) : writeVlq(distance + 1) + writeVlq(length - 2)
    above = from
  }
  return text
}

function readHoles(high: number, text: string): SeqRanges {
  const numbers = readVlqs(text)
  const holes: SeqRange[] = []
  let above = high
  for (let i = 0; i < numbers.length; i++) {
    const first = numbers[i]!
    const to = above - Math.floor(first / 2)
    const length = first % 2 === 0 ? 1 : (numbers[++i] ?? 0) + 2
    holes.push({ from: to - length + 1, to })
    above = to - length + 1
  }
  return holes.toReversed()
}

// Numbers beyond 32 bits are possible, so no shifting.
function writeVlq(value: number): string {
  let text = ''
  let rest = value
  do {
    const five = rest % 32
    rest = Math.floor(rest / 32)
    text += digits[rest > 0 ? five + 32 : five]
  } while (rest > 0)
  return text
}

function charsOfVlq(value: number): number {
  let chars = 1
  for (let rest = Math.floor(value / 32); rest > 0; rest = Math.floor(rest / 32)) chars++
  return chars
}

function readVlqs(text: string): number[] {
  const numbers: number[] = []
  let value = 0
  let weight = 1
  for (const digit of text) {
    const bits = valueOf.get(digit)
    if (bits === undefined) throw new ForeignCursorError(`${JSON.stringify(digit)} is no digit of a hole`)
    value += (bits % 32) * weight
    weight *= 32
    if (bits < 32) {
      numbers.push(value)
      value = 0
      weight = 1
    }
  }
  return numbers
}
