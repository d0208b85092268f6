/**
 * Finds and replaces broker addresses in Kafka's responses. A client uses the address it was given only to ask
 * where the brokers are; afterwards it dials what Metadata and FindCoordinator answered, so a proxy that does not change
 * those answers is bypassed. Layouts: https://kafka.apache.org/43/design/protocol/
 */

export type BrokerAddress = { host: string; port: number }

export const metadataKey = 3
export const findCoordinatorKey = 10

const firstFlexibleMetadata = 9
const firstFlexibleFindCoordinator = 3
const firstManyCoordinators = 4

/** Whether a response of this kind holds broker addresses. */
export function holdsAddresses(apiKey: number): boolean {
  return apiKey === metadataKey || apiKey === findCoordinatorKey
}

/**
 * The response with every address that `replace` answers for replaced by its answer. Takes and returns the whole frame
 * with its size field; `apiKey` and `apiVersion` are those of the request, for which `holdsAddresses` is true.
 */
export function replaceAddresses(
  frame: Buffer,
  apiKey: number,
  apiVersion: number,
  replace: (address: BrokerAddress) => BrokerAddress | null,
): Buffer {
  const spans =
    apiKey === metadataKey ? metadataSpans(frame, apiVersion) : coordinatorSpans(frame, apiVersion)
  const flexible =
    apiVersion >= (apiKey === metadataKey ? firstFlexibleMetadata : firstFlexibleFindCoordinator)
  const parts: Buffer[] = []
  let copied = 0
  for (const { address, start, end } of spans) {
    const replacement = replace(address)
    if (replacement === null) continue
    parts.push(frame.subarray(copied, start), encodeAddress(replacement, flexible))
    copied = end
  }
  parts.push(frame.subarray(copied))
  const replaced = Buffer.concat(parts)
  replaced.writeInt32BE(replaced.length - 4, 0)
  return replaced
}

/** Where an address (host and port, which always stand side by side) lies in a frame. */
type AddressSpan = { address: BrokerAddress; start: number; end: number }

function metadataSpans(frame: Buffer, version: number): AddressSpan[] {
  const reader = new FrameReader(frame, version >= firstFlexibleMetadata)
  reader.skipHeader()
  if (version >= 3) reader.skip(4) // throttle time
  const spans: AddressSpan[] = []
  for (let left = reader.arrayLength(); left > 0; left--) {
    reader.skip(4) // node id
    spans.push(reader.address())
    if (version >= 1) reader.string() // rack
    reader.skipTaggedFields()
  }
  return spans
}

function coordinatorSpans(frame: Buffer, version: number): AddressSpan[] {
  const reader = new FrameReader(frame, version >= firstFlexibleFindCoordinator)
  reader.skipHeader()
  if (version >= 1) reader.skip(4) // throttle time
  if (version < firstManyCoordinators) {
    reader.skip(2) // error code
    if (version >= 1) reader.string() // error message
    reader.skip(4) // node id
    return [reader.address()]
  }
  const spans: AddressSpan[] = []
  for (let left = reader.arrayLength(); left > 0; left--) {
    reader.string() // the group or transactional id
    reader.skip(4) // node id
    spans.push(reader.address())
    reader.skip(2) // error code
    reader.string() // error message
    reader.skipTaggedFields()
  }
  return spans
}

/** Walks through a frame; flexible versions write lengths as varints, plus one, and end structures in tagged fields. */
class FrameReader {
  readonly #frame: Buffer
  readonly #flexible: boolean
  #at = 0

  constructor(frame: Buffer, flexible: boolean) {
    this.#frame = frame
    this.#flexible = flexible
  }

  skipHeader(): void {
    this.skip(8) // size, correlation id
    this.skipTaggedFields()
  }

  skip(bytes: number): void {
    this.#at += bytes
  }

  arrayLength(): number {
    if (this.#flexible) return this.#uvarint() - 1
    const length = this.#frame.readInt32BE(this.#at)
    this.skip(4)
    return length
  }

  string(): string {
    let length: number
    if (this.#flexible) {
      length = this.#uvarint() - 1
    } else {
      length = this.#frame.readInt16BE(this.#at)
      this.skip(2)
    }
    if (length < 0) return '' // null
    const text = this.#frame.toString('utf8', this.#at, this.#at + length)
    this.skip(length)
    return text
  }

  address(): AddressSpan {
    const start = this.#at
    const host = this.string()
    const port = this.#frame.readInt32BE(this.#at)
    this.skip(4)
    return { address: { host, port }, start, end: this.#at }
  }

  skipTaggedFields(): void {
    if (!this.#flexible) return
    for (let left = this.#uvarint(); left > 0; left--) {
      this.#uvarint() // tag
      this.skip(this.#uvarint())
    }
  }

  #uvarint(): number {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = this.#frame.readUInt8(this.#at)
      this.skip(1)
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
  }
}

function encodeAddress({ host, port }: BrokerAddress, flexible: boolean): Buffer {
  const text = Buffer.from(host)
  // As a varint the length plus one takes one byte up to 127, which no address of a proxy exceeds.
  const length = Buffer.alloc(flexible ? 1 : 2)
  if (flexible) length.writeUInt8(text.length + 1)
  else length.writeInt16BE(text.length)
  const portBytes = Buffer.alloc(4)
  portBytes.writeInt32BE(port)
  return Buffer.concat([length, text, portBytes])
}
