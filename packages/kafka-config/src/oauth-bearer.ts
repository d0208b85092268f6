/**
 * SASL/OAUTHBEARER (RFC 7628) in the place of kafkajs' own, which takes a token that was refused for one that was accepted: the
 * refusal is a challenge that the client has to acknowledge, and until then the broker answers nothing else.
 */
import type { AuthenticationProviderArgs, Mechanism } from 'kafkajs'

/** Asked for a token whenever a connection authenticates. It must not log the token. */
export type BearerToken = () => Promise<string>

const separator = '\u0001'

export function oauthBearer(bearerToken: BearerToken): Mechanism {
  const authenticate = async (exchange: (message: string) => Promise<string>): Promise<void> => {
    const challenge = await exchange(
      `n,,${separator}auth=Bearer ${await bearerToken()}${separator}${separator}`,
    )
    if (challenge === '') return
    // The broker then fails the authentication, with an error that says so.
    await exchange(separator)
    throw new Error(`the broker refuses the token: ${challenge}`)
  }
  return {
    mechanism: 'oauthbearer',
    authenticationProvider: ({ saslAuthenticate }) => ({
      authenticate: () => authenticate(message => exchangeBytes(saslAuthenticate, message)),
    }),
  }
}

/** Messages go as Kafka's bytes: their length, then themselves. */
async function exchangeBytes(
  saslAuthenticate: AuthenticationProviderArgs['saslAuthenticate'],
  message: string,
): Promise<string> {
  const body = Buffer.from(message)
  const length = Buffer.alloc(4)
  length.writeInt32BE(body.length)
  const answer = await saslAuthenticate<string>({
    request: { encode: () => Buffer.concat([length, body]) },
    response: { decode: bytes => bytes.subarray(4), parse: bytes => bytes.toString() },
  })
  return answer ?? ''
}
