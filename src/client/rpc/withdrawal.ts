/** Telling the server that a request is given up before its client knows what came of it. */

import type { Calls } from "./calls.ts";
import type { LastWord } from "./page.ts";
import { type SayPorts, sayAgain } from "./say-again.ts";

export interface WithdrawingPorts extends SayPorts {
  readonly calls: Calls;
}

/** How a request is withdrawn, under its id. */
export interface Withdrawal {
  /** Says it once. */
  say(requestId: string, options: { readonly timeoutMs: number }): Promise<unknown>;
  /** What says it when the page of its caller goes away. */
  lastWord(requestId: string): LastWord;
}

/** ms for which it is said again; what the server has not heard by then comes back by its ttl. */
const PATIENCE = 10_000;

/**
 * Says it again where no answer came, if it is worth that: `isUrgent` for a caller that gave up, by which the server lives as far
 * as is known. Never rejects, and sets no timer while a call is under way: the transport's deadline bounds it.
 */
export async function sayWithdrawn(
  { calls, ...ports }: WithdrawingPorts,
  requestId: string,
  { withdrawal, isUrgent }: { readonly withdrawal: Withdrawal; readonly isUrgent: boolean },
): Promise<void> {
  async function say(): Promise<void> {
    try {
      await withdrawal.say(requestId, { timeoutMs: calls.answerWithin });
    } catch (thrown) {
      throw calls.toError(thrown);
    }
  }
  await (isUrgent ? sayAgain(ports, { patience: PATIENCE }, say) : say()).catch(() => {});
}
