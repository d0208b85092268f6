/**
 * Something about this machine or its state keeps a server from starting: a missing tool, a port that is taken,
 * a server that died. The message is one readable sentence with its remedy (a dead server's also holds the end of its log).
 */
export class LocalStackError extends Error {
  override name = 'LocalStackError'
}

/** A port that a server was told to use is held by something else. */
export class PortInUseError extends LocalStackError {
  override name = 'PortInUseError'
  readonly port: number
  /** what holds the port, as "name (pid 123)" or "container name", where the system tells */
  readonly holder: string | null

  constructor(port: number, holder: string | null) {
    super(
      `Port ${port} on 127.0.0.1 is in use${holder === null ? '' : ` by ${holder}`}: stop what holds it or choose another port.`,
    )
    this.port = port
    this.holder = holder
  }
}
