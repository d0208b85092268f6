/**
 * CRC-32C in the place of @node-rs/crc32, whose native module cannot be part of a single file for every processor that Lambda runs on.
 * An invocation writes one record: what the native one would save is less than what loading it costs.
 * The table is that of RFC 3720, appendix B.4 (the reflected polynomial 0x82f63b78).
 */
const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  return crc
})

/** Of all bytes, as an unsigned number. */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) crc = table[(crc ^ byte) & 0xff]! ^ (crc >>> 8)
  return (crc ^ 0xffffffff) >>> 0
}
