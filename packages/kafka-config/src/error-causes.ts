/** Reads kafkajs' errors, which wrap the one that says what happened. */

/** The error, its cause, the cause of that, and so on. */
export function causesOf(error: unknown): Error[] {
  const chain: Error[] = []
  for (let cause = error; cause instanceof Error && !chain.includes(cause); cause = cause.cause)
    chain.push(cause)
  return chain
}

/** The error or one of its causes has one of these names among Kafka's error codes. */
export function hasErrorType(error: unknown, ...types: string[]): boolean {
  return causesOf(error).some(cause => 'type' in cause && types.includes(String(cause.type)))
}

/** The message of the innermost cause. */
export function reasonOf(error: unknown): string {
  return causesOf(error).at(-1)?.message ?? String(error)
}
