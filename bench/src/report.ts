import { OURS } from './contestants.ts'
import type { Contestant, Figure, RatioGoal } from './contestants.ts'
import type { Result } from './task.ts'

/** All runs of one figure, by contestant. */
export interface Measured {
  figure: Figure
  runs: Map<Contestant, Result[]>
  /** Why a contestant has fewer runs than the others. */
  failures: Map<Contestant, string>
}

export interface Spread {
  median: number
  min: number
  max: number
}

/** Median and range; the median of an even count is the mean of the middle two. */
export function spread(values: number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = (sorted.length - 1) / 2
  const median = (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle)]!) / 2
  return { median, min: sorted[0]!, max: sorted.at(-1)! }
}

const format = (value: number) =>
  value >= 999.5 ? Math.round(value).toLocaleString('en') : value.toPrecision(3)

const line = (cells: string[]) => `| ${cells.join(' | ')} |`

/** The figure as a Markdown table, its goals below. */
export function renderTable(measured: Measured): string {
  const { figure, runs, failures } = measured
  const extras = (['p50Ms', 'p99Ms', 'writtenPerSecond'] as const).filter(of =>
    [...runs.values()].some(results => results.some(result => result[of] !== undefined)),
  )
  const headOf = { p50Ms: 'p50 ms', p99Ms: 'p99 ms', writtenPerSecond: 'written/s' }
  const head = ['', figure.unit, 'min – max', ...extras.map(of => headOf[of]), 'resident MB']
  const rows = [...runs].map(([contestant, results]) => {
    const { name } = contestant
    if (results.length === 0) return [name, 'failed', ...head.slice(2).map(() => '')]
    const value = spread(results.map(result => result.value))
    return [
      name,
      `**${format(value.median)}**`,
      `${format(value.min)} – ${format(value.max)}`,
      ...extras.map(of => format(spread(results.map(result => result[of] ?? NaN)).median)),
      format(spread(results.map(result => result.residentMb)).max),
    ]
  })
  const table = [line(head), line(head.map((_, i) => (i === 0 ? '---' : '---:'))), ...rows.map(line)]
  const failed = [...failures].map(([{ name }, reason]) => `- FAILED: ${name}: ${reason.split('\n')[0]}`)
  const goals = judgeGoals(measured).map(goal => `- ${goal.text}`)
  return `### ${figure.title}\n\n${table.join('\n')}\n\n${[...failed, ...goals].join('\n')}\n`
}

const judged = (reached: boolean, measured: number, text: string) => ({
  reached,
  measured,
  text: `${reached ? 'reached' : 'MISSED'}: ${text}`,
})

/** Each goal of the figure with what was measured: ratios of medians, and the worst of our own runs for a limit. */
export function judgeGoals({
  figure,
  runs,
}: Omit<Measured, 'failures'>): { text: string; reached: boolean; measured: number }[] {
  const resultsOf = (name: string) => [...runs].find(([contestant]) => contestant.name === name)?.[1] ?? []
  const median = (name: string, of: RatioGoal['of']) =>
    spread(resultsOf(name).map(result => result[of] ?? NaN)).median
  const unitOf = {
    value: figure.unit,
    p50Ms: 'p50',
    p99Ms: 'p99',
    writtenPerSecond: 'pace of the writers beside it',
    residentMb: 'MB resident',
  }
  return figure.goals.map(goal => {
    const unit = unitOf[goal.of]
    if ('atMost' in goal) {
      const ours = [...runs].filter(([{ name }]) => name.startsWith(OURS)).flatMap(([, results]) => results)
      if (ours.length === 0) return judged(false, NaN, `${unit} was not measured`)
      const worst = Math.max(...ours.map(result => result[goal.of]))
      return judged(
        worst <= goal.atMost,
        worst,
        `at most ${format(worst)} ${unit} (goal: at most ${goal.atMost})`,
      )
    }
    const { contestant = figure.contestants[0].name, peer, of, ratio } = goal
    if ([contestant, peer].some(name => resultsOf(name).length === 0)) {
      return judged(false, NaN, `${unit} cannot be compared with that of ${peer}`)
    }
    const measured = median(contestant, of) / median(peer, of)
    const reached = 'atLeast' in ratio ? measured >= ratio.atLeast : measured <= ratio.atMost
    const wanted = 'atLeast' in ratio ? `at least ${ratio.atLeast}` : `at most ${ratio.atMost}`
    const who = contestant === figure.contestants[0].name ? '' : `${contestant}: `
    return judged(
      reached,
      measured,
      `${who}${unit} is ${measured.toFixed(2)} times that of ${peer} (goal: ${wanted})`,
    )
  })
}

/** One bar a contestant, grouped by figure; bars of a figure share a scale, whiskers show the range. */
export function renderChart(measured: Measured[]): string {
  const width = 760
  const labelWidth = 330
  const barWidth = 300
  const rowHeight = 22
  const parts: string[] = []
  let y = 10
  for (const { figure, runs } of measured) {
    parts.push(`<text x="10" y="${(y += 20)}" class="title">${escape(figure.title)} (${figure.unit})</text>`)
    y += 8
    const spreads = [...runs]
      .filter(([, results]) => results.length > 0)
      .map(([{ name }, results]) => ({ name, ...spread(results.map(r => r.value)) }))
    const scale = barWidth / Math.max(...spreads.map(({ max }) => max))
    for (const [i, { name, median, min, max }] of spreads.entries()) {
      const middle = y + rowHeight / 2
      parts.push(
        `<text x="${labelWidth - 8}" y="${middle + 4}" text-anchor="end">${escape(name)}</text>`,
        `<rect x="${labelWidth}" y="${y + 3}" width="${(median * scale).toFixed(1)}" height="${rowHeight - 6}" class="${i === 0 && name.startsWith(OURS) ? 'ours' : 'peer'}"/>`,
        `<path d="M${(labelWidth + min * scale).toFixed(1)} ${middle}H${(labelWidth + max * scale).toFixed(1)}" class="range"/>`,
        `<text x="${(labelWidth + max * scale + 8).toFixed(1)}" y="${middle + 4}">${format(median)}</text>`,
      )
      y += rowHeight
    }
    y += 10
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${y + 10}" font-family="system-ui, sans-serif" font-size="12">
<style>rect.ours{fill:#2563eb}rect.peer{fill:#94a3b8}path.range{stroke:#0f172a;stroke-width:1.5}text{fill:#0f172a}.title{font-weight:600}</style>
<rect width="100%" height="100%" fill="#fff"/>
${parts.join('\n')}
</svg>
`
}

const escape = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
