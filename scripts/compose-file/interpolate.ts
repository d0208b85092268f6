/**
 * Variable substitution as Docker Compose does it (docs.docker.com/reference/compose-file/interpolation):
 * $VAR, ${VAR}, ${VAR:-default}, ${VAR-default}, ${VAR:?error}, ${VAR?error}, ${VAR:+instead}, ${VAR+instead}, nested, and $$ for $.
 */
import { UserError } from '../user-error.ts'

export type Variables = Record<string, string | undefined>

/**
 * @throws {UserError} when the text is no valid template, or when a variable marked as required is missing
 */
export function interpolate(template: string, variables: Variables): string {
  const { text, end } = substitute(template, 0, variables, false)
  if (end !== template.length) throw invalid(template)
  return text
}

/** The names of the variables that the text uses, in order of appearance, those in defaults included. */
export function variablesIn(template: string): string[] {
  const names = template.replaceAll('$$', '').matchAll(/\$\{?([A-Za-z_]\w*)/g)
  return [...new Set([...names].map(match => match[1]!))]
}

/** Reads up to the end, or inside braces up to the brace that closes them. */
function substitute(
  template: string,
  start: number,
  variables: Variables,
  inBraces: boolean,
): { text: string; end: number } {
  let text = ''
  let at = start
  while (at < template.length) {
    if (inBraces && template[at] === '}') return { text, end: at }
    if (template[at] !== '$') {
      text += template[at++]
      continue
    }
    if (template[at + 1] === '$') {
      text += '$'
      at += 2
      continue
    }
    const braced = /^\$\{([A-Za-z_]\w*)(:?[-?+])?/.exec(template.slice(at))
    if (braced !== null) {
      const operand = substitute(template, at + braced[0].length, variables, true)
      const hasOperator = braced[2] !== undefined
      if (template[operand.end] !== '}' || (!hasOperator && operand.text !== '')) throw invalid(template)
      text += resolveVariable(braced[1]!, braced[2], operand.text, variables)
      at = operand.end + 1
      continue
    }
    const plain = /^\$([A-Za-z_]\w*)/.exec(template.slice(at))
    if (plain === null) throw invalid(template)
    text += variables[plain[1]!] ?? ''
    at += plain[0].length
  }
  return { text, end: at }
}

function resolveVariable(
  name: string,
  operator: string | undefined,
  operand: string,
  variables: Variables,
): string {
  const value = variables[name]
  // With a colon an empty value counts as missing.
  const isMissing = value === undefined || (operator?.startsWith(':') === true && value === '')
  switch (operator?.at(-1)) {
    case '-':
      return isMissing ? operand : value
    case '+':
      return isMissing ? '' : operand
    case '?':
      if (isMissing) throw new UserError(`The variable ${name} must be set: ${operand}`)
      return value
    default:
      return value ?? ''
  }
}

function invalid(template: string): UserError {
  return new UserError(`"${template}" is no valid template: a dollar sign is written as $$.`)
}
