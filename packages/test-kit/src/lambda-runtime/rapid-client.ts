/**
 * The native module of aws-lambda-ric (src/native/rapid-client.cc) in TypeScript: the three calls to the Runtime API, the same
 * signatures. Installing the original compiles curl and AWS' C++ client, for which a compiler and CMake would have to be there.
 */
import { Agent, request } from 'node:http'

const api = `http://${process.env.AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime/invocation`
/** An invocation may come hours after it was asked for. */
const agent = new Agent({ keepAlive: true, maxSockets: 1, timeout: 0 })

/** The original waits for the answer before it returns; here `next` does. */
let posted: Promise<unknown> = Promise.resolve()

export async function next(): Promise<{ bodyJson: string; headers: NodeJS.Dict<string | string[]> }> {
  await posted
  return call('GET', '/next')
}

/** @param id URL-encoded */
export function done(id: string, bodyJson: string): void {
  posted = call('POST', `/${id}/response`, bodyJson)
}

export function error(id: string, bodyJson: string, _xrayJson: string): void {
  posted = call('POST', `/${id}/error`, bodyJson)
}

function call(
  method: string,
  path: string,
  body?: string,
): Promise<{ bodyJson: string; headers: NodeJS.Dict<string | string[]> }> {
  return new Promise((resolve, reject) => {
    const sent = request(`${api}${path}`, { method, agent }, response => {
      let bodyJson = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => (bodyJson += chunk))
      response.on('end', () => resolve({ bodyJson, headers: response.headers }))
      response.on('error', reject)
    })
    sent.on('error', reject)
    sent.end(body)
  })
}
