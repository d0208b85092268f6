import { colors, padVisible, print } from '../terminal.ts'

/** The end of a demo: commands and addresses, each with what it shows. */
export function printPlacesToLook(places: readonly [what: string, why: string][]): void {
  print(colors.bold('Where to look next'))
  for (const [what, why] of [...places, ['make down', 'stops everything; the data stays']] as const) {
    print(`  ${padVisible(colors.cyan(what), 36)} ${colors.dim(why)}`.trimEnd())
  }
}
