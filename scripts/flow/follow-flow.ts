import type { Runtime } from '../runtime/runtime.ts'
import { parseFlowEvent, type FlowEvent } from './flow-event.ts'

/** Tells every step that records take through these services from now on, until the signal. */
export async function followFlow(
  runtime: Runtime,
  services: string[],
  follow: AbortSignal,
  onEvent: (service: string, event: FlowEvent) => void,
): Promise<void> {
  await runtime.logs({ services, lastLines: 0, follow }, (service, line) => {
    const event = parseFlowEvent(line)
    if (event !== null) onEvent(service, event)
  })
}
