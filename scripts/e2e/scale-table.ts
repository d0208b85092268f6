/** What `make scale` printed that each instance holds, by its name: "✓ outbox-relay-2  http://127.0.0.1:40002/metrics  lane 1,3". */
export function holdingsOf(output: string): Record<string, string> {
  const rows = output.matchAll(/^ ✓ (\S+) +http:\/\/127\.0\.0\.1:\d+\/metrics +(.+)$/gm)
  return Object.fromEntries([...rows].map(([, name = '', holds = '']) => [name, holds]))
}
