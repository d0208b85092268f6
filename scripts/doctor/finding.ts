import { colors, done, failed, print, step } from '../terminal.ts'

/** What the doctor found out about one thing. A note is worth knowing; a fault keeps something from working. */
export type Finding =
  | { kind: 'fine'; text: string }
  | { kind: 'note'; text: string }
  | { kind: 'fault'; text: string; remedy: string[] }

export const fine = (text: string): Finding => ({ kind: 'fine', text })
export const note = (text: string): Finding => ({ kind: 'note', text })
export const fault = (text: string, ...remedy: string[]): Finding => ({ kind: 'fault', text, remedy })

export function printFindings(title: string, findings: Finding[]): void {
  print(colors.bold(title))
  for (const finding of findings) {
    const mark = { fine: done, note: step, fault: failed }[finding.kind]
    print(`  ${mark} ${finding.text}`)
    if (finding.kind === 'fault') for (const line of finding.remedy) print(`    ${line}`)
  }
}
