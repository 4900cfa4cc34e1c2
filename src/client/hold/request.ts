/** What a question is known by to the server, over all attempts at it, and how it is given up. */

import { AdmissionError } from "../api/errors.ts";
import type { AskPorts } from "../rpc/ports.ts";
import type { Withdrawal } from "../rpc/withdrawal.ts";

export interface AskedOptions {
  /** Default: one that is made for this question. */
  readonly requestId?: string | undefined;
  /** How the question is withdrawn at the server; undefined: nothing is held by it. */
  readonly withdrawal?: Withdrawal;
}

export interface Asked {
  readonly requestId: string;
  /** Whether a page that goes away withdraws it; not under an id of the caller's own, which may come back with it. */
  readonly endsWithPage: boolean;
  /** It is about to be sent: from here on the server may have something under its id. */
  sent(): void;
  /** It was not sent after all. */
  unsent(): void;
  /** Returns whether an error says that nothing is left under an id that the client made, after it was sent before. */
  isOver(error: unknown): boolean;
  /** Goes on under another id, with nothing left to withdraw. */
  renew(): void;
  /** It is answered: nothing is left to withdraw. */
  answered(): void;
  /**
   * Withdraws it, if it may stand and the server has not answered it. Under an id of the caller's own the caller may ask
   * again, unless it has said that it does not want the answer (`isCallers`).
   */
  giveUp(error: unknown, isCallers: boolean): void;
}

/** Reasons that say of a request id that what it stood for is over: its grant was never heard of, or its page had gone away. */
const OVER: ReadonlySet<string> = new Set(["LEASE_ENDED", "LEASE_EXPIRED", "REQUEST_WITHDRAWN"]);

export function createAsked({ random, ungranted, withdraw }: AskPorts, options: AskedOptions): Asked {
  const { withdrawal } = options;
  const isOwn = options.requestId !== undefined;
  let requestId = options.requestId ?? random.requestId();
  /** Whether the server may have something under the id. */
  let mayStand = false;
  /** Whether it might have before the last attempt. */
  let isRetry = false;
  const lastWord = withdrawal === undefined || isOwn ? undefined : () => withdrawal.lastWord(requestId);

  function answered(): void {
    mayStand = false;
    if (lastWord !== undefined) ungranted.delete(lastWord);
  }

  return {
    get requestId() {
      return requestId;
    },
    endsWithPage: lastWord !== undefined,
    sent() {
      isRetry = mayStand;
      mayStand = true;
      if (lastWord !== undefined) ungranted.add(lastWord);
    },
    unsent() {
      if (!isRetry) answered();
    },
    isOver: (error) => isRetry && !isOwn && error instanceof AdmissionError && OVER.has(error.reason),
    renew() {
      answered();
      requestId = random.requestId();
    },
    answered,
    giveUp(error, isCallers) {
      const isGivenUp = isCallers || (!isOwn && !(error instanceof AdmissionError));
      if (mayStand && isGivenUp && withdrawal !== undefined) withdraw(requestId, { withdrawal, isUrgent: isCallers });
      answered();
    },
  };
}
