/**
 * Whether Kafka can be reached the way a client does it: first the bootstrap address, then, and only then used for everything
 * else, the address that each broker advertises. A broker whose advertised address cannot be reached is the classic
 * fault: the first connection works, and all that follows hangs or fails.
 */
import { lookup } from 'node:dns/promises'
import { connect } from 'node:net'
import { describeCluster, errorCode } from '@kafka-pattern/local-stack'
import { fault, fine, type Finding } from './finding.ts'

export type Address = { host: string; port: number }

const connectTimeoutMs = 3_000
const metadataTimeoutMs = 5_000

export async function examineKafka(bootstrap: Address[]): Promise<Finding[]> {
  const findings = new Map<string, Finding>()
  for (const address of bootstrap) {
    // Every broker of a cluster tells of all the others: once is enough.
    for (const finding of await examineBootstrap(address)) findings.set(finding.text, finding)
  }
  return [...findings.values()]
}

/** "host:port" as a client's settings have it, IPv6 in brackets; null when it is none. */
export function parseAddress(text: string): Address | null {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text.trim())
  const port = Number(match?.[3])
  const host = match?.[1] ?? match?.[2]
  return host === undefined || port < 1 || port > 65_535 ? null : { host, port }
}

async function examineBootstrap(bootstrap: Address): Promise<Finding[]> {
  const at = formatAddress(bootstrap)
  const problem = await connectionProblem(bootstrap)
  if (problem !== null) {
    return [
      fault(
        `${at} cannot be reached: ${problem}`,
        'Is Kafka started (`make up`, `make ps`)? If it runs elsewhere, KAFKA_BROKERS must name it.',
      ),
    ]
  }
  const findings = [fine(`${at} accepts connections`)]
  const cluster = await describeCluster(bootstrap, metadataTimeoutMs)
  if (cluster === null) {
    findings.push(
      fault(
        `${at} does not answer as a Kafka broker does without encryption`,
        'Either it hangs (`make ps`), or something else listens there, or this listener wants TLS or a password: then the services need KAFKA_TLS or KAFKA_SASL_….',
      ),
    )
    return findings
  }
  findings.push(
    fine(`${at} answers: ${cluster.brokers.length} broker(s), controller ${cluster.controllerId}`),
  )
  for (const broker of cluster.brokers) {
    const advertised = formatAddress(broker)
    const advertisedProblem = await connectionProblem(broker)
    findings.push(
      advertisedProblem === null
        ? fine(`broker ${broker.id} advertises ${advertised}, which answers`)
        : fault(
            `broker ${broker.id} advertises ${advertised}, which cannot be reached from here: ${advertisedProblem}`,
            ...advertisedRemedy(bootstrap, broker),
          ),
    )
  }
  return findings
}

function advertisedRemedy(bootstrap: Address, broker: Address & { id: number }): string[] {
  return [
    `A client asks ${formatAddress(bootstrap)} only for the brokers' addresses, and then talks to what they advertise: it would`,
    'connect, and then fail. Change one of these:',
    `- what broker ${broker.id} advertises for this listener: KAFKA_ADVERTISED_LISTENERS in docker-compose.yml`,
    `  (advertised.listeners in server.properties), e.g. ${formatAddress(bootstrap)}, then restart it;`,
    '- or KAFKA_BROKERS, to the port of a listener that advertises an address which this machine can reach',
    '  (in docker-compose.yml INTERNAL is for containers, EXTERNAL, KAFKA_PORT, for this machine).',
  ]
}

function formatAddress({ host, port }: Address): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}

/** Why no connection can be made, in words; null when it can. */
async function connectionProblem({ host, port }: Address): Promise<string | null> {
  try {
    await lookup(host)
  } catch (error) {
    if (errorCode(error) === undefined) throw error
    return `the name ${host} is unknown here (${errorCode(error)})`
  }
  return new Promise(resolve => {
    const socket = connect({ host, port })
    const answer = (problem: string | null) => {
      socket.destroy()
      resolve(problem)
    }
    socket.setTimeout(connectTimeoutMs, () => answer(`no answer within ${connectTimeoutMs / 1000} s`))
    socket.once('connect', () => answer(null))
    socket.once('error', error =>
      answer(errorCode(error) === 'ECONNREFUSED' ? 'nothing listens there' : error.message),
    )
  })
}
