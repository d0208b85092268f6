/** Each of the two generations is a Map, and V8's throws at 2^24 entries (`RangeError: Map maximum size exceeded`). */
export const mostRememberedRows = 2 * 2 ** 24

/**
 * What was published of the rows that will perhaps be read again, so that they are not published again. Bounded: the oldest half
 * is forgotten when it is full. What is forgotten is published a second time, never lost.
 *
 * Two generations, so that nothing is kept for a row but its key and its version: a generation goes as a whole.
 */
export class PublishedVersions {
  readonly #generationSize: number
  #young = new Generation()
  #old = new Generation()

  /**
   * @param limit rows that it remembers at most, about 150 bytes each; of more it keeps at least the newest half of so many. Up to
   * `mostRememberedRows`
   */
  constructor(limit: number) {
    this.#generationSize = Math.max(1, Math.floor(limit / 2))
  }

  get size(): number {
    return this.#young.versions.size + this.#old.versions.size
  }

  /** Whether this was the last state of the row that was published. Other versions are news, whatever their order. */
  has(key: string, version: string): boolean {
    return (this.#young.versions.get(key) ?? this.#old.versions.get(key)) === version
  }

  add(key: string, version: string, updatedAt: string): void {
    if (this.#young.versions.size >= this.#generationSize) this.#dropOld()
    this.#young.versions.set(key, version)
    if (updatedAt > this.#young.newest) this.#young.newest = updatedAt
  }

  /** Rows with an earlier `updated_at` will not be read again. */
  forgetBefore(updatedAt: string): void {
    if (this.#old.newest < updatedAt) this.#dropOld()
  }

  #dropOld(): void {
    this.#old = this.#young
    this.#young = new Generation()
  }
}

class Generation {
  readonly versions = new Map<string, string>()
  newest = ''
}
