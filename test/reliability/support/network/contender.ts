/** A client that wants the permit again and again: asks, works while its lease is good, releases. */

import { setTimeout as sleep } from "node:timers/promises";
import { AdmissionError, type Lease, type Refusal, ServerUnavailableError } from "../../../../src/client/index.ts";
import { aborted } from "../../../client/support/aborted.ts";
import type { Permit } from "./permit.ts";
import type { Moment } from "./plan.ts";

export interface ContenderOptions {
  readonly permit: Permit;
  ask(options: { readonly signal: AbortSignal; readonly onWaiting: () => void }): Promise<Lease | Refusal>;
  /** Resolves when the work of this round (from 0) is done; it is left before that if the lease is lost. */
  work(round: number): Promise<unknown>;
  /** Called with what it is about to do. */
  readonly onMoment?: (moment: Moment, lease?: Lease) => void;
  /** Called with what should not have come of an ask. */
  readonly onError: (error: unknown) => void;
  /** Ends it. */
  readonly over: AbortSignal;
}

export interface Contender {
  /** Resolves with the instant of the next grant, in ms of `performance.now()`. */
  granted(): Promise<number>;
  readonly ended: Promise<void>;
}

/** ms between two asks, in which the other may try. */
const PAUSE = 80;

export function startContender(options: ContenderOptions): Contender {
  const { permit, onMoment = () => {}, onError, over } = options;
  let onGrant: ((at: number) => void)[] = [];

  async function ask(): Promise<Lease | undefined> {
    try {
      const asked = options.ask({ signal: over, onWaiting: () => onMoment("waiting") });
      onMoment("granting");
      const answer = await asked;
      if (answer.granted) return answer;
    } catch (error) {
      if (!over.aborted && !isOfTheFault(error)) onError(error);
    }
    return undefined;
  }

  async function hold(lease: Lease, round: number): Promise<void> {
    const leave = permit.enter(lease);
    for (const tell of onGrant) tell(performance.now());
    onGrant = [];
    onMoment("holding", lease);
    await Promise.race([options.work(round), aborted(lease.signal)]);
    leave();
    const released = lease.release();
    onMoment("releasing");
    await released;
  }

  async function contend(): Promise<void> {
    for (let round = 0; !over.aborted; ) {
      const lease = await ask();
      if (lease !== undefined) {
        await hold(lease, round);
        round += 1;
      }
      if (!over.aborted) await sleep(PAUSE);
    }
  }

  return {
    granted: () => new Promise((resolve) => onGrant.push(resolve)),
    ended: contend(),
  };
}

/** No server could be reached, or the grant was heard of when its lease had ended. */
function isOfTheFault(error: unknown): boolean {
  if (error instanceof ServerUnavailableError) return true;
  return error instanceof AdmissionError && (error.reason === "LEASE_EXPIRED" || error.reason === "LEASE_ENDED");
}
