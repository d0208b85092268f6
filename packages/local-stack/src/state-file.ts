/** A small JSON file beside a server's data that says what runs there, written whole or not at all. */
import { renameSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { LocalStackError } from './errors.ts'

/** The state of the given kind in `dataDir`; null when there is none. Throws LocalStackError when it is of another kind. */
export async function readState<State extends { kind: string }>(
  dataDir: string,
  kind: State['kind'],
): Promise<State | null> {
  const path = join(dataDir, 'state.json')
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
  const state = JSON.parse(text) as State
  if (state.kind !== kind) {
    throw new LocalStackError(
      `${dataDir} holds the data of ${state.kind}, not of ${kind}: choose another folder.`,
    )
  }
  return state
}

// Synchronous, so that the states that concurrent starts of one process write cannot overtake each other.
export function writeState(dataDir: string, state: { kind: string }): void {
  const path = join(dataDir, 'state.json')
  const unfinished = `${path}.${process.pid}.unfinished`
  writeFileSync(unfinished, `${JSON.stringify(state, null, 2)}\n`)
  renameSync(unfinished, path)
}
