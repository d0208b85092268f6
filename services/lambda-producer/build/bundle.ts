/** The function as one file, as infra/lambda/template.yaml uploads it: `scripts/setup.sh services/lambda-producer/build/bundle.ts`. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { zodWithoutLocales } from './zod-without-locales.ts'

export type Bundle = {
  /** the folder with nothing but the file in it: Lambda's task root */
  readonly dir: string
  readonly file: string
  /** as Lambda names it: file and export */
  readonly handler: string
  readonly sizeBytes: number
  /** as it is uploaded */
  readonly gzippedBytes: number
}

const serviceDir = join(import.meta.dirname, '..')

/** Writes the bundle; takes less than a second. */
export async function bundleFunction(dir = join(serviceDir, 'dist')): Promise<Bundle> {
  const file = join(dir, 'index.mjs')
  const { outputFiles } = await build({
    entryPoints: [join(serviceDir, 'src', 'main.ts')],
    outfile: file,
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    minify: true,
    // Errors are known by their names.
    keepNames: true,
    plugins: [zodWithoutLocales],
    alias: { '@node-rs/crc32': join(import.meta.dirname, 'crc32c.ts') },
    // kafkajs and others are CommonJS and require Node's own modules.
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
    logLevel: 'warning',
    write: false,
  })
  const { contents } = outputFiles[0]!
  await mkdir(dir, { recursive: true })
  await writeFile(file, contents)
  return {
    dir,
    file,
    handler: 'index.handler',
    sizeBytes: contents.length,
    gzippedBytes: gzipSync(contents).length,
  }
}

if (import.meta.main) {
  const { file, sizeBytes, gzippedBytes } = await bundleFunction()
  console.log(
    `${file}: ${(sizeBytes / 1024).toFixed(0)} KiB, ${(gzippedBytes / 1024).toFixed(0)} KiB gzipped`,
  )
}
