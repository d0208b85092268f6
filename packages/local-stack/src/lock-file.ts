/** A file that says who is at work, for processes that must not be at the same time. */
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { errorCode } from './error-code.ts'
import { identifyProcess, isAlive, parseProcessIdentity, type ProcessIdentity } from './process-identity.ts'

/**
 * Waits for the lock file, in a folder that exists; a lock whose owner is no longer alive is taken over. Resolves with what gives it back.
 * @param onWait told once, of the owner that is waited for
 */
export async function acquireLock(
  lockFile: string,
  onWait: (owner: ProcessIdentity) => void = () => {},
): Promise<() => Promise<void>> {
  const self = await identifyProcess(process.pid)
  // The file appears with its content, or a reader could meet an empty one and take its owner for dead.
  const own = `${lockFile}.${process.pid}-${Math.random().toString(36).slice(2)}`
  await writeFile(own, JSON.stringify(self))
  let waits = false
  try {
    for (;;) {
      try {
        await link(own, lockFile)
        return () => rm(lockFile, { force: true })
      } catch (error) {
        if (errorCode(error) !== 'EEXIST') throw error
      }
      const owner = await livingOwner(lockFile)
      if (owner === null) continue
      if (!waits) onWait(owner)
      waits = true
      await new Promise(resolve => setTimeout(resolve, 100))
    }
  } finally {
    await rm(own, { force: true })
  }
}

/** Null when there is none; then the lock is free, or is now. */
async function livingOwner(lockFile: string): Promise<ProcessIdentity | null> {
  const content = await readFile(lockFile, 'utf8').catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return null
    throw error
  })
  if (content === null) return null
  const owner = parseProcessIdentity(content)
  if (await isAlive(owner)) return owner
  // Renaming is atomic: of several waiters that found the owner dead, one gets the file; the check of the content
  // makes sure that it was the dead owner's lock and not a fresh one taken in between.
  const taken = `${lockFile}.stale-${process.pid}-${Math.random().toString(36).slice(2)}`
  try {
    await rename(lockFile, taken)
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return null
    throw error
  }
  if ((await readFile(taken, 'utf8')) !== content) await link(taken, lockFile)
  await rm(taken, { force: true })
  return null
}
