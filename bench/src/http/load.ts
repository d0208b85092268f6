import autocannon from 'autocannon'

/** `node load.ts <url> <seconds>`: 64 connections post creates; prints requests per second and latency as JSON. */
const [url = '', seconds = '5'] = process.argv.slice(2)
const result = await autocannon({
  url,
  connections: 64,
  duration: Number(seconds),
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ level: 42, name: 'The quick brown fox jumps over the lazy dog. '.repeat(3).trim() }),
})
const failed = result.non2xx + result.errors + result.timeouts
if (failed > 0) throw new Error(`${failed} of ${result.requests.total} requests did not get a 2xx`)
console.log(
  JSON.stringify({ value: result.requests.average, p50Ms: result.latency.p50, p99Ms: result.latency.p99 }),
)
