import { readFile } from 'node:fs/promises'
import type { Plugin } from 'esbuild'

/**
 * A quarter of the bundle would be the messages of zod in fifty languages: esbuild finds out what of `z` is used when it is a
 * namespace (`import * as z`), not when it is imported by its name, as our sources do.
 */
export const zodWithoutLocales: Plugin = {
  name: 'zod-without-locales',
  setup(build) {
    build.onLoad(
      { filter: /[\\/](packages|services)[\\/][^\\/]+[\\/]src[\\/].*\.ts$/ },
      async ({ path }) => ({
        loader: 'ts',
        contents: (await readFile(path, 'utf8')).replace(
          "import { z } from 'zod'",
          "import * as z from 'zod'",
        ),
      }),
    )
  },
}
