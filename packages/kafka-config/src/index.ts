export { CommitAbandonedError, HandlerFailedError, TopicMissingError } from './consumer-failure.ts'
export { readConsumerGroups, readPartitionEnds } from './consumer-groups.ts'
export type { ConsumerGroup, PartitionEnds } from './consumer-groups.ts'
export { contentBytes, contentBytesOf } from './content-bytes.ts'
export { deleteGroup } from './delete-group.ts'
export {
  BatchSendError,
  ConnectError,
  DeliveryFailedError,
  DeliveryTimeoutError,
  KafkaConfigError,
  ProducerClosedError,
  QueueFullError,
  RecordRefusedError,
  RecordTooLargeError,
  classifyKafkaError,
} from './errors.ts'
export type { KafkaErrorClass } from './errors.ts'
export { createGatheringProducer } from './gathering-producer.ts'
export type {
  GatheringProducer,
  GatheringProducerOptions,
  OutgoingRecord,
  RecordMetadata,
} from './gathering-producer.ts'
export { createGroupConsumer } from './group-consumer.ts'
export type {
  CommitOutcome,
  FetchedRecords,
  GroupConsumer,
  GroupConsumerHandlers,
  GroupConsumerOptions,
  KafkaRecord,
  TopicPartition,
} from './group-consumer.ts'
export { judgeSendFailure, notConnected } from './judge-send-failure.ts'
export type { Unavailable } from './judge-send-failure.ts'
export { createKafka, withAdmin } from './kafka.ts'
export type { Kafka } from './kafka.ts'
export type { BearerToken } from './oauth-bearer.ts'
export {
  groupInstanceId,
  isTopicName,
  kafkaSettings,
  kafkaSettingsWithMskIam,
  refineKafkaSettings,
  replicationFactor,
  topicName,
  topicNames,
} from './settings.ts'
export type { KafkaSettings } from './settings.ts'
export { recordSizeBytes } from './record-accumulator.ts'
export { TopicSetupError, ensureTopics } from './topics.ts'
export type { TopicDifference, TopicReport, TopicSpec } from './topics.ts'
export { waitForKafka } from './wait-for-kafka.ts'
export {
  BatchRefusedError,
  ProducerFencedError,
  RecordsRefusedError,
  TransactionFailedError,
  createTransactionalProducer,
} from './transactional-producer.ts'
export type { Position, PositionPlace, TransactionalProducer } from './transactional-producer.ts'
export type { KeyedRecord } from './transaction-requests.ts'
