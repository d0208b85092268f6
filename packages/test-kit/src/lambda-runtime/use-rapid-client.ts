/** For `node --import`: aws-lambda-ric gets rapid-client.ts where it asks for its native module. */
import { registerHooks } from 'node:module'
import { join } from 'node:path'

registerHooks({
  resolve(specifier, context, nextResolve) {
    const isNativeClient = specifier === './rapid-client.node'
    return nextResolve(isNativeClient ? join(import.meta.dirname, 'rapid-client.ts') : specifier, context)
  },
})
