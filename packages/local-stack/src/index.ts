export { findConnect, startConnect } from './connect.ts'
export type { ConnectOptions, DebeziumConnector, StartedConnect } from './connect.ts'
export { errorCode } from './error-code.ts'
export { LocalStackError, PortInUseError } from './errors.ts'
export { findKafka, formQuorum, startKafka } from './kafka.ts'
export type { KafkaNode, KafkaOptions, KafkaQuorum, StartedKafka } from './kafka.ts'
export { developmentDefaults } from './kafka-defaults.ts'
export type { JvmTuning } from './kafka-jvm.ts'
export { describeCluster } from './kafka-readiness.ts'
export type { ClusterView } from './kafka-readiness.ts'
export { acquireLock } from './lock-file.ts'
export { findMariaDb, startMariaDb } from './mariadb.ts'
export type { MariaDbOptions, StartedMariaDb } from './mariadb.ts'
export type { Progress } from './maven.ts'
export { findFreePort, findFreePorts, findPortHolder, isPortFree, searchPortsIn } from './ports.ts'
export {
  identifyProcess,
  isAlive,
  parseProcessIdentity,
  signalProcess,
  waitForExit,
} from './process-identity.ts'
export type { ProcessIdentity } from './process-identity.ts'
export type { ControlledServer } from './server-control.ts'
export { requireJava, requireMaven } from './tools.ts'
export type { Java } from './tools.ts'
