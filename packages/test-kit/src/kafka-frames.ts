/** Kafka's framing on a connection: which requests went out, and the responses, whole where they must be changed. */
import { holdsAddresses } from './advertised-addresses.ts'

type AwaitedResponse = { apiKey: number; apiVersion: number }

const requestHeadBytes = 12 // size, api key, api version, correlation id
const responseHeadBytes = 8 // size, correlation id

/**
 * Follows one connection. Feed it what the client sends and what the broker answers; it returns the answer's bytes with
 * `rewrite` applied to each response that holds addresses. All else passes unchanged and undelayed, whatever its size.
 */
export class KafkaFrames {
  readonly #awaited = new Map<number, AwaitedResponse>()
  readonly #rewrite: (frame: Buffer, apiKey: number, apiVersion: number) => Buffer
  #request = Buffer.alloc(0)
  #requestBytesLeft = 0
  #response = Buffer.alloc(0)
  #responseBytesLeft = 0

  constructor(rewrite: (frame: Buffer, apiKey: number, apiVersion: number) => Buffer) {
    this.#rewrite = rewrite
  }

  noteRequests(chunk: Buffer): void {
    let rest = chunk
    while (rest.length > 0) {
      if (this.#requestBytesLeft > 0) {
        const skipped = Math.min(this.#requestBytesLeft, rest.length)
        this.#requestBytesLeft -= skipped
        rest = rest.subarray(skipped)
        continue
      }
      const before = this.#request.length
      this.#request = Buffer.concat([this.#request, rest.subarray(0, requestHeadBytes - before)])
      rest = rest.subarray(this.#request.length - before)
      if (this.#request.length < requestHeadBytes) return
      const head = this.#request
      this.#request = Buffer.alloc(0)
      this.#requestBytesLeft = head.readInt32BE(0) + 4 - requestHeadBytes
      const apiKey = head.readInt16BE(4)
      if (holdsAddresses(apiKey)) {
        this.#awaited.set(head.readInt32BE(8), { apiKey, apiVersion: head.readInt16BE(6) })
      }
    }
  }

  rewriteResponses(chunk: Buffer): Buffer {
    const out: Buffer[] = []
    let rest = chunk
    while (rest.length > 0) {
      if (this.#responseBytesLeft > 0) {
        const passed = rest.subarray(0, this.#responseBytesLeft)
        out.push(passed)
        this.#responseBytesLeft -= passed.length
        rest = rest.subarray(passed.length)
        continue
      }
      this.#response = Buffer.concat([this.#response, rest])
      rest = Buffer.alloc(0)
      if (this.#response.length < responseHeadBytes) break
      const frameBytes = this.#response.readInt32BE(0) + 4
      const correlationId = this.#response.readInt32BE(4)
      const awaited = this.#awaited.get(correlationId)
      if (awaited === undefined) {
        this.#responseBytesLeft = frameBytes
        rest = this.#response
      } else {
        if (this.#response.length < frameBytes) break
        this.#awaited.delete(correlationId)
        out.push(this.#rewrite(this.#response.subarray(0, frameBytes), awaited.apiKey, awaited.apiVersion))
        rest = this.#response.subarray(frameBytes)
      }
      this.#response = Buffer.alloc(0)
    }
    return Buffer.concat(out)
  }
}
