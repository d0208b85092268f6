import type { RelayReport } from './relay-report.ts'

const ignored = (): void => {}

/** For tests, which take from it what they do not look at. */
export const silentReport: RelayReport = {
  laneTaken: ignored,
  laneEnded: ignored,
  laneGiven: ignored,
  published: ignored,
  parked: ignored,
  transactionFailed: ignored,
  waiting: ignored,
  databaseAway: ignored,
  leasesUnknown: ignored,
  state: ignored,
  stop: ignored,
}
