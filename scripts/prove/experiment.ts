/** What each experiment of `make prove` is: a prediction, what is really done, and a ledger that says whether it came true. */
import type { Lab } from './lab.ts'
import type { Ledger, Predicted } from './ledger.ts'

export type Experiment = {
  title: string
  /** told before anything is done */
  prediction: string
  /** the same as the ledgers will have it */
  predicted: Predicted
  run(lab: Lab): Promise<Ledger[]>
}
