export { errorCode } from './error-code.ts'
export { LocalStackError, PortInUseError } from './errors.ts'
export { findKafka, startKafka } from './kafka.ts'
export type { KafkaNode, KafkaOptions, StartedKafka } from './kafka.ts'
export { developmentDefaults } from './kafka-defaults.ts'
export type { JvmTuning } from './kafka-jvm.ts'
export { describeCluster } from './kafka-readiness.ts'
export type { ClusterView } from './kafka-readiness.ts'
export type { Progress } from './maven-jars.ts'
export { findFreePort, findFreePorts, findPortHolder, isPortFree, requireFreePort } from './ports.ts'
export {
  identifyProcess,
  isAlive,
  parseProcessIdentity,
  signalProcess,
  waitForExit,
} from './process-identity.ts'
export type { ProcessIdentity } from './process-identity.ts'
export { userCacheDir } from './user-cache.ts'
