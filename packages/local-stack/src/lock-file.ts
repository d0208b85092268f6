/** A file that says who is at work, for processes that must not be at the same time. */
import { link, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { errorCode } from './error-code.ts'
import { identifyProcess, isAlive, parseProcessIdentity, type ProcessIdentity } from './process-identity.ts'

/**
 * Waits for the lock file; a lock whose owner is no longer alive is taken over. Resolves with what gives it back. The folder is made
 * where it is missing, also when somebody removes it meanwhile.
 * @param onWait told once, of the owner that is waited for
 */
export async function acquireLock(
  lockFile: string,
  onWait: (owner: ProcessIdentity) => void = () => {},
): Promise<() => Promise<void>> {
  const self = JSON.stringify(await identifyProcess(process.pid))
  // The file appears with its content, or a reader could meet an empty one and take its owner for dead.
  const own = `${lockFile}.${process.pid}-${Math.random().toString(36).slice(2)}`
  let waits = false
  try {
    await writeWithFolder(own, self)
    for (;;) {
      try {
        await link(own, lockFile)
        break
      } catch (error) {
        if (errorCode(error) === 'ENOENT') await writeWithFolder(own, self)
        else if (errorCode(error) !== 'EEXIST') throw error
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
  const release = () => rm(lockFile, { force: true })
  try {
    await removeLeftovers(lockFile)
  } catch (error) {
    await release()
    throw error
  }
  return release
}

async function writeWithFolder(file: string, content: string): Promise<void> {
  for (;;) {
    await mkdir(dirname(file), { recursive: true })
    try {
      return await writeFile(file, content)
    } catch (error) {
      // Whoever had the lock may remove the folder once it is empty, also in between.
      if (errorCode(error) !== 'ENOENT') throw error
    }
  }
}

/** What processes left that were killed while they waited: the folder would never be empty again. */
async function removeLeftovers(lockFile: string): Promise<void> {
  const folder = dirname(lockFile)
  for (const name of await readdir(folder)) {
    if (!name.startsWith(`${basename(lockFile)}.`)) continue
    const pid = /\.(?:stale-)?(\d+)-[a-z0-9]*$/.exec(name)?.[1]
    if (pid === undefined || (await identifyProcess(Number(pid))) !== null) continue
    await rm(join(folder, name), { force: true })
  }
}

/** Null when there is none; then the lock is free, or is now. */
async function livingOwner(lockFile: string): Promise<ProcessIdentity | null> {
  const content = await readFile(lockFile, 'utf8').catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return null
    throw error
  })
  if (content === null) return null
  const owner = ownerIn(content)
  if (owner !== null && (await isAlive(owner))) return owner
  // Renaming is atomic: of several waiters that found the owner dead, one gets the file; the check of the content
  // makes sure that it was the dead owner's lock and not a fresh one taken in between.
  const taken = `${lockFile}.stale-${process.pid}-${Math.random().toString(36).slice(2)}`
  try {
    await rename(lockFile, taken)
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return null
    throw error
  }
  if ((await readFile(taken, 'utf8')) !== content) await putBack(taken, lockFile)
  await rm(taken, { force: true })
  return null
}

/** Null in a file that lost its content, as in a power cut: its owner is no longer there, either. */
function ownerIn(content: string): ProcessIdentity | null {
  try {
    return parseProcessIdentity(content)
  } catch (error) {
    if (error instanceof SyntaxError) return null
    throw error
  }
}

async function putBack(taken: string, lockFile: string): Promise<void> {
  try {
    await link(taken, lockFile)
  } catch (error) {
    // A third one was faster, within the moment between the two calls.
    if (errorCode(error) !== 'EEXIST') throw error
  }
}
