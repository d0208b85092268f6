import { errorCode } from './error-code.ts'
import { exitCodes } from './exit-codes.ts'

/** A port the service needs is taken or may not be opened. The message is one sentence with the remedy. */
export class PortUnavailableError extends Error {
  readonly exitCode = exitCodes.portInUse
  constructor(message: string, cause: unknown) {
    super(message, { cause })
    this.name = 'PortUnavailableError'
  }
}

/**
 * Names the setting to change when listening failed because of the address; any other error comes back as it is.
 * A service that throws the result out of its start ends with exit code 69.
 */
export function describeListenError(
  error: unknown,
  { setting, host, port }: { setting: string; host: string; port: number },
): unknown {
  switch (errorCode(error)) {
    case 'EADDRINUSE':
      return new PortUnavailableError(
        `port ${port} on ${host} is in use: stop the program that listens there, or set ${setting} to a free port`,
        error,
      )
    case 'EACCES':
      return new PortUnavailableError(
        `port ${port} on ${host} may not be opened by this user: set ${setting} to a port above 1023`,
        error,
      )
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new PortUnavailableError(
        `${host} is no address of this machine, so that port ${port} (${setting}) cannot be opened: ` +
          `set ${setting.replace('PORT', 'HOST')} to 127.0.0.1 or 0.0.0.0`,
        error,
      )
    default:
      return error
  }
}
