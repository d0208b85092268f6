import type { ComposeService } from '../compose-file/compose-file.ts'
import type { Runtime, Stack } from '../runtime/runtime.ts'
import { colors, done, failed, print } from '../terminal.ts'

/** What a demo plays on: everything that its profile started. */
export type Demo = { runtime: Runtime; stack: Stack; services: ComposeService[] }

/** One sentence on what was shown, or on what was not. */
export type Verdict = { kept: boolean; sentence: string }

export function printVerdict({ kept, sentence }: Verdict, took: string): void {
  print(`${kept ? done : failed} ${colors.bold(sentence)} ${colors.dim(took)}`)
}
