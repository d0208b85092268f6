export { createDeadLetterPublisher } from './dead-letter-publisher.ts'
export type { DeadLetterPublisher } from './dead-letter-publisher.ts'
export { deadLetterMaxBytes, deadLetterTopicSpec, refineDeadLetterTopics } from './dead-letter-topics.ts'
export {
  DEAD_LETTER_HEADERS,
  deadLetterTopic,
  failureCategories,
  isDeadLetterTopic,
  readDeadLetter,
  toDeadLetter,
} from './dead-letter.ts'
export type { ConsumedRecord, Failure, HeaderValue, Headers, ReadDeadLetter } from './dead-letter.ts'
export { createDeadLetters, notRetryable } from './dead-letters.ts'
export type { DeadLetterReport, DeadLetters, RecordFailure } from './dead-letters.ts'
export { listDeadLetters } from './list-dead-letters.ts'
export type { DeadLetterSummary } from './list-dead-letters.ts'
export { RangeNotReadError, readRange } from './read-range.ts'
export type { OffsetRange } from './read-range.ts'
export { replay, replayedFromHeader, replayedTimestampHeader } from './replay.ts'
export type { ReplayOptions, ReplayReport } from './replay.ts'
