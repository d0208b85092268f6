import { runPubsubDemo } from '../pubsub/demo.ts'
export const runClusterDemo = runPubsubDemo
