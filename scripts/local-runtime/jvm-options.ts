/** The heap limit of a JVM's options in bytes, undefined without one. */
export function heapBytes(options: string | undefined): number | undefined {
  const match = /-Xmx(\d+)([mg])\b/i.exec(options ?? '')
  if (match === null) return undefined
  return Number(match[1]) * (match[2]!.toLowerCase() === 'g' ? 1024 ** 3 : 1024 ** 2)
}
