export {
  CreateRequest,
  createdEntityRecord,
  createRequestLimitBytes,
  EntityCreated,
  isPlainEntityCreated,
} from './entity-created.ts'
export type { EntityRecord } from './entity-created.ts'
export { HEADERS, headerText } from './headers.ts'
export type { RecordHeaders } from './headers.ts'
export { parseRecordValue } from './parse-record-value.ts'
export type { ParsedValue } from './parse-record-value.ts'
export {
  changesTopicSpec,
  entityTopicSpec,
  OUTBOX_CURSOR_TOPIC,
  outboxCursorTopicSpec,
  outboxTopic,
  outboxTopicSpec,
  TOPICS,
  USER_CHANGES_TOPIC,
} from './topics.ts'
export { ChangeUserRequest, CreateUserRequest, USER_EVENT_TYPES, UserState } from './user-event.ts'
export type { UserEventType } from './user-event.ts'
