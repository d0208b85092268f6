/**
 * What a record looks like on one line, whatever bytes somebody put into it. A key or a value is data from outside: a line
 * break in it would forge a second line, and an ANSI escape sequence would take over the reader's terminal.
 */
import { isUtf8 } from 'node:buffer'

/** Controls (C0, DEL, C1), line and paragraph separators, and what turns the direction of text around. */
const unprintable = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/u
const eachUnprintable = new RegExp(unprintable, 'gu')
/** In a key a space would shift the fields after it. */
const unprintableInKey = /[\p{Cc}\p{Z}\p{Bidi_Control}]/u
const eachUnprintableInKey = new RegExp(unprintableInKey, 'gu')

/** What `toString` puts in the place of bytes that are not UTF-8. */
const replacementCharacter = '\ufffd'

/**
 * `[consume] <topic> <partition> <offset> <key> <value>` and a line feed. A missing key or value (a tombstone) is `null`, an
 * empty key `""`. Text stays as it is, except for what does not print, which is escaped as in JSON (`\n`, `\u001b`); bytes
 * that are not UTF-8 are shown as `\xHH`. For people: a backslash is not doubled, so an escape can also be real text.
 */
export function recordLine(
  topic: string,
  partition: number,
  record: { readonly offset: string; readonly key: Buffer | null; readonly value: Buffer | null },
): string {
  return `[consume] ${topic} ${partition} ${record.offset} ${keyText(record.key)} ${valueText(record.value)}\n`
}

function keyText(key: Buffer | null): string {
  if (key === null) return 'null'
  if (key.length === 0) return '""'
  return printable(key, unprintableInKey, eachUnprintableInKey)
}

function valueText(value: Buffer | null): string {
  return value === null ? 'null' : printable(value, unprintable, eachUnprintable)
}

function printable(bytes: Buffer, unprintableHere: RegExp, eachUnprintableHere: RegExp): string {
  const text = bytes.toString('utf8')
  // Looking at the bytes is needed only where a replacement character appeared, which can also be a real one.
  if (text.includes(replacementCharacter) && !isUtf8(bytes)) return escapeBytes(bytes, eachUnprintableHere)
  return unprintableHere.test(text) ? text.replace(eachUnprintableHere, escapeCharacter) : text
}

function escapeCharacter(character: string): string {
  switch (character) {
    case '\n':
      return '\\n'
    case '\r':
      return '\\r'
    case '\t':
      return '\\t'
    default:
      return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  }
}

/** ASCII as it is, every other byte as `\xHH`: in what is not text, any guess at letters would mislead. */
function escapeBytes(bytes: Buffer, eachUnprintableHere: RegExp): string {
  return bytes
    .toString('latin1')
    .replace(/[\u0080-\u00ff]/g, character => `\\x${character.charCodeAt(0).toString(16)}`)
    .replace(eachUnprintableHere, escapeCharacter)
}
