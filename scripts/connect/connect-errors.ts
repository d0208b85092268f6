/** Finds, in what Kafka Connect says about a failure, the one sentence that helps. Pure. */
import { z } from 'zod'

const refusal = z.object({ message: z.string() })

/** Of the body of a refused registration. */
export function reasonOfRefusal(body: unknown): string {
  const parsed = refusal.safeParse(body)
  if (!parsed.success) return JSON.stringify(body)
  // "Connector configuration is invalid and contains the following 1 error(s):\n<each in its line>\nYou can also find …"
  const errors = /following \d+ error\(s\):\n(.*?)\nYou can also find/s.exec(parsed.data.message)?.[1]
  if (errors !== undefined) return errors.split('\n').map(withoutJavaNames).join('; ')
  return firstSentence(parsed.data.message)
}

/**
 * Of the Java stack trace of a failed connector or task: what the innermost cause says. The outer ones say only that something
 * has failed.
 */
export function reasonOfTrace(trace: string): string {
  const lines = trace
    .split('\n')
    .filter(line => !/^\s*(at |\.\.\. \d+ more)/.test(line) && line.trim() !== '')
  const innermost = lines.findLast(line => line.startsWith('Caused by: ')) ?? lines[0]
  if (innermost === undefined) return 'it does not say why.'
  return firstSentence(innermost.replace(/^Caused by: /, ''))
}

/** Without the names of Java classes before it. */
export function firstSentence(text: string): string {
  const [sentence = ''] = withoutJavaNames(text).split(/(?<=[.!?])\s+(?=[A-Z])|\n/)
  return sentence
}

function withoutJavaNames(text: string): string {
  return text.trim().replace(/^(?:(?:[a-z]\w*\.)+[A-Z][\w$]*: ?)+/, '')
}
