export { startLambdaFunction } from './lambda-function.ts'
export type { LambdaFunction, LambdaFunctionOptions } from './lambda-function.ts'
export type { InvocationResult } from './runtime-api.ts'
