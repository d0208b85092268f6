/**
 * Writes stock-output.json: what stock kafkajs makes of the fuzzed records. Run it with the stock package only:
 *
 *   npm pack kafkajs@2.2.4 && tar xzf kafkajs-2.2.4.tgz
 *   KAFKAJS_DIR=$PWD/package node packages/kafka-config/src/kafkajs-patch/record-stock-output.ts
 */
import { writeFileSync } from 'node:fs'
import { NOW } from './fuzzed-records.ts'
import { protocolOutput } from './protocol-output.ts'

if (!process.env['KAFKAJS_DIR']) throw new Error('KAFKAJS_DIR must name a folder with stock kafkajs 2.2.4')

Date.now = () => NOW
const output = await protocolOutput()
writeFileSync(new URL('stock-output.json', import.meta.url), `${JSON.stringify(output, null, 2)}\n`)
