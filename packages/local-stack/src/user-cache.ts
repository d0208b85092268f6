/**
 * Things that are fetched or built once per user and shared by all checkouts: each is a directory that appears whole
 * or not at all (built under a temporary name, then renamed), and of several callers at a time one builds, the others wait.
 */
import { mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { errorCode } from './error-code.ts'
import { acquireLock } from './lock-file.ts'

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

export async function exists(path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false
    throw error
  }
}
