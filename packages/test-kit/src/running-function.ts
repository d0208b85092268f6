/** A Lambda function for a test: against the run's brokers, ended with the test, its output shown when the test fails. */
import { identifyProcess } from '@kafka-pattern/local-stack'
import { inject, onTestFailed } from 'vitest'
import { atEndOfTest } from './end-of-test.ts'
import {
  startLambdaFunction,
  type LambdaFunction,
  type LambdaFunctionOptions,
} from './lambda-runtime/index.ts'
import { testKafka } from './test-kafka.ts'
import { registerProcess } from './test-run.ts'

/** `startLambdaFunction` with the run's brokers; `env` adds to that or overrides it. */
export async function startFunction(options: LambdaFunctionOptions): Promise<LambdaFunction> {
  const lambda = await startLambdaFunction({
    ...options,
    env: { KAFKA_BROKERS: testKafka().brokers.join(','), ...options.env },
  })
  const identity = await identifyProcess(lambda.pid)
  if (identity !== null) await registerProcess(inject('testRunDir'), identity)
  onTestFailed(() =>
    console.error(`The output of the function (pid ${lambda.pid}):\n${lambda.outputLines.join('\n')}`),
  )
  atEndOfTest(() => lambda.stop())
  return lambda
}
