/**
 * What a contestant is asked to do and what it answers. A contestant is one process that runs one load with one client,
 * so that its memory and its processor time are its own.
 */
export interface Task {
  brokers: string[]
  topic: string
  /** Measured time of a producing load, after the warm-up. */
  durationMs: number
  warmUpMs: number
  /** How many records the topic holds for a consuming load, or are to be written. */
  records: number
}

/**
 * Records at the end of the topic whose consumption is not measured: there a batch waits to be full, and then for its timeout, and the
 * last fetches are small.
 */
export const tailRecords = 10_000

export interface Result {
  /** Records (or requests) per second; for the idle load: percent of one core. */
  value: number
  /** Latency of one operation as its caller sees it, where the load has one. */
  p50Ms?: number
  p99Ms?: number
  /** Rows that writers wrote per second beside the contestant, where the load has writers. */
  writtenPerSecond?: number
  /** Largest resident memory of the contestant. */
  residentMb: number
}

/** The task of this contestant's process. */
export function readTask(): Task {
  return JSON.parse(process.env['BENCH_TASK'] ?? '') as Task
}

/** Hands the result to the runner and ends the process: nothing of a client's shutdown is part of a figure. */
export function finish(result: Omit<Result, 'residentMb'>): never {
  const residentMb = process.resourceUsage().maxRSS / 1024
  process.stdout.write(`${JSON.stringify({ ...result, residentMb } satisfies Result)}\n`)
  process.exit(0)
}
