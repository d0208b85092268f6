/**
 * How callers learn what became of their records: one promise for each record of `send`, one for the whole array of
 * `sendBatch`. A class each instead of closures: they are made for every record.
 */
import { BatchSendError, KafkaConfigError } from './errors.ts'

/** Where a record was stored. `offset` is a decimal string, as everywhere in kafkajs. */
export interface RecordMetadata {
  topic: string
  partition: number
  offset: string
}

export interface Delivery {
  settle(index: number, outcome: RecordMetadata | KafkaConfigError): void
}

export class SingleDelivery implements Delivery {
  readonly promise: Promise<RecordMetadata>
  #resolve!: (metadata: RecordMetadata) => void
  #reject!: (error: KafkaConfigError) => void

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  settle(_index: number, outcome: RecordMetadata | KafkaConfigError): void {
    if (outcome instanceof KafkaConfigError) this.#reject(outcome)
    else this.#resolve(outcome)
  }
}

/** Settles when the last of its records is settled; fails with BatchSendError when any of them failed. */
export class ArrayDelivery implements Delivery {
  readonly promise: Promise<RecordMetadata[]>
  readonly #stored: RecordMetadata[]
  readonly #failed = new Map<number, KafkaConfigError>()
  #unsettled: number
  #resolve!: (metadata: RecordMetadata[]) => void
  #reject!: (error: KafkaConfigError) => void

  constructor(recordCount: number) {
    this.#stored = Array.from<RecordMetadata>({ length: recordCount })
    this.#unsettled = recordCount
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  settle(index: number, outcome: RecordMetadata | KafkaConfigError): void {
    if (outcome instanceof KafkaConfigError) this.#failed.set(index, outcome)
    else this.#stored[index] = outcome
    if (--this.#unsettled > 0) return
    if (this.#failed.size === 0) this.#resolve(this.#stored)
    else this.#reject(new BatchSendError(this.#stored.map((stored, at) => this.#failed.get(at) ?? stored)))
  }
}
