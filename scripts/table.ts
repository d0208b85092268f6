/** Rows of cells as lines of text, one under the other. */
import { colors, padVisible, visibleLength } from './terminal.ts'

export type Column<Row> = { title: string; of: (row: Row) => string; align?: 'right' }

/** The titles, then a line for each row. Each column is as wide as what it holds; colours take no room. */
export function tableLines<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
): [titles: string, ...lines: string[]] {
  const cells = rows.map(row => columns.map(column => column.of(row)))
  const widths = columns.map((column, i) =>
    Math.max(column.title.length, ...cells.map(row => visibleLength(row[i]!))),
  )
  const line = (texts: string[]) =>
    `  ${texts
      .map((text, i) => {
        const padding = ' '.repeat(widths[i]! - visibleLength(text))
        return columns[i]!.align === 'right' ? padding + text : padVisible(text, widths[i]!)
      })
      .join('  ')}`.trimEnd()
  return [line(columns.map(column => column.title)), ...cells.map(line)]
}

/** A row of numbers under its name, in a colour of its own. */
export interface NumberRow {
  readonly name: string
  readonly cells: readonly (string | number)[]
  readonly color?: (text: string) => string
}

/** A table of numbers: the first column names the rows, the others are to the right. */
export function numberLines(
  [first, ...others]: readonly [string, ...string[]],
  rows: readonly NumberRow[],
): string[] {
  const columns: Column<NumberRow>[] = [
    { title: first, of: row => row.name },
    ...others.map((title, i): Column<NumberRow> => ({
      title,
      of: row => String(row.cells[i] ?? ''),
      align: 'right',
    })),
  ]
  const [titles, ...lines] = tableLines(columns, rows)
  return [colors.bold(titles), ...lines.map((line, i) => rows[i]?.color?.(line) ?? line)]
}
