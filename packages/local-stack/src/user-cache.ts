/**
 * Things that are fetched or built once per user and shared by all checkouts: each is a directory that appears whole
 * or not at all (built under a temporary name, then renamed), and of several callers at a time one builds, the others wait.
 */
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile, link } from 'node:fs/promises'
import { homedir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { identifyProcess, isAlive, parseProcessIdentity } from './process-identity.ts'
import { errorCode } from './error-code.ts'

/** XDG_CACHE_HOME or ~/.cache; ~/Library/Caches on macOS. */
export function userCacheDir(): string {
  const base =
    process.env.XDG_CACHE_HOME ||
    (process.platform === 'darwin' ? join(homedir(), 'Library', 'Caches') : join(homedir(), '.cache'))
  return join(base, 'kafka-pattern')
}

/**
 * The directory `path`, built by `build` (which gets an empty directory to fill) unless it is there already.
 * Safe against concurrent callers in any process, and against one that is killed half-way.
 */
export async function buildOnce(path: string, build: (dir: string) => Promise<void>): Promise<string> {
  if (await exists(path)) return path
  await mkdir(dirname(path), { recursive: true })
  const release = await acquireLock(`${path}.lock`)
  try {
    if (await exists(path)) return path
    await removeUnfinished(path)
    const unfinished = await mkdtemp(`${path}.unfinished-`)
    try {
      await build(unfinished)
      await rename(unfinished, path)
    } catch (error) {
      await rm(unfinished, { recursive: true, force: true })
      throw error
    }
    return path
  } finally {
    await release()
  }
}

/** What a killed builder left behind. Only the holder of the lock may call this. */
async function removeUnfinished(path: string): Promise<void> {
  for (const name of await readdir(dirname(path))) {
    if (name.startsWith(`${basename(path)}.unfinished-`)) {
      await rm(join(dirname(path), name), { recursive: true, force: true })
    }
  }
}

/** Waits for the lock file; a lock whose owner is no longer alive is taken over. */
async function acquireLock(lockFile: string): Promise<() => Promise<void>> {
  const self = await identifyProcess(process.pid)
  // The file appears with its content, or a reader could meet an empty one and take its owner for dead.
  const own = `${lockFile}.${process.pid}-${Math.random().toString(36).slice(2)}`
  await writeFile(own, JSON.stringify(self))
  try {
    for (;;) {
      try {
        await link(own, lockFile)
        return () => rm(lockFile, { force: true })
      } catch (error) {
        if (errorCode(error) !== 'EEXIST') throw error
      }
      await removeStaleLock(lockFile)
      await new Promise(resolve => setTimeout(resolve, 100))
    }
  } finally {
    await rm(own, { force: true })
  }
}

async function removeStaleLock(lockFile: string): Promise<void> {
  const content = await readFile(lockFile, 'utf8').catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return null
    throw error
  })
  if (content === null) return
  if (await isAlive(parseProcessIdentity(content))) return
  // Renaming is atomic: of several waiters that found the owner dead, one gets the file; the check of the content
  // makes sure that it was the dead owner's lock and not a fresh one taken in between.
  const taken = `${lockFile}.stale-${process.pid}-${Math.random().toString(36).slice(2)}`
  try {
    await rename(lockFile, taken)
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return
    throw error
  }
  if ((await readFile(taken, 'utf8')) !== content) await link(taken, lockFile)
  await rm(taken, { force: true })
}

export async function exists(path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false
    throw error
  }
}
