/** A "no" that is an answer, not an error. */

import { isRetryable, type Reason } from "./reasons.ts";

/**
 * The answer of `tryAcquire` when it is not granted; nothing was charged. It can stand where a lease would
 * (`await using attempt = await client.tryAcquire("gpu")`): disposing of it does nothing.
 */
export interface Refusal extends AsyncDisposable {
  readonly granted: false;
  readonly reason: Reason;
  /** Whether the same request may succeed later. */
  readonly retryable: boolean;
  /** The same for people, in one sentence. */
  readonly message: string;
  /** The first limiter, in the order of the claims, that said no. */
  readonly limiter: string;
  /** Its key; empty for a limiter without keys. */
  readonly key: string;
  /**
   * ms until the same request can be granted at the earliest, if no other request comes meanwhile. Undefined where that cannot
   * be known: permits come back when their holders release them.
   */
  readonly retryAfterMs: number | undefined;
  /** How many wait in that limiter's queue. */
  readonly waitersAhead: number;
}

/** What a refusal says. */
export type RefusalWords = Omit<Refusal, "granted" | "retryable" | typeof Symbol.asyncDispose>;

/** Makes a refusal of its words. */
export function createRefusal(words: RefusalWords): Refusal {
  const retryable = isRetryable(words.reason, words.retryAfterMs);
  return { granted: false, retryable, ...words, [Symbol.asyncDispose]: nothing };
}

async function nothing(): Promise<void> {}
