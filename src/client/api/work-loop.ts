/** The loop of a worker: pull, work, finish, again. Free of any transport. */

import type { Card } from "./card.ts";
import type { Work } from "./work.ts";

/**
 * Works on a card. What it returns is the result that the card is finished with: a string as it is, anything else as JSON,
 * nothing to leave it the one that it has.
 * What it throws, or returns and cannot be a result, gives the card back as failed.
 *
 * It may end the work otherwise: `return work.sendBack("the tests are red")`, `work.block(…)`, `work.giveBack(…)`, or finish
 * it itself; what it returns then is ignored.
 *
 * @param signal aborts when the work is lost, or when the loop has no more time for it: stop then. What is returned or thrown
 *   from there on is ignored, and the card given back.
 */
export type WorkHandler = (card: Card, signal: AbortSignal, work: Work) => unknown;

/** How a loop works. */
export interface WorkLoopOptions {
  /** How many cards it works on at once, 1 or more. Default 1. */
  readonly concurrency?: number | undefined;
  /** Names the worker, for operators. At most 256 bytes. Default: the client's `holder`. */
  readonly worker?: string | undefined;
  /** ms that a card outlives the last sign of this process: 0, or 100 to 24 hours. Default: the board's. */
  readonly ttl?: number | undefined;
  /** Aborting it stops the loop, as `stop()` does. */
  readonly signal?: AbortSignal | undefined;
  /** ms that running handlers are given when the loop stops. Default: as long as they take. */
  readonly grace?: number | undefined;
  readonly backoff?: BackoffOptions | undefined;
  /**
   * Called with what goes wrong, while the loop goes on: with the card, that its handler failed or that the work on it was lost (a
   * `WorkLostError`); without, that no card could be asked for.
   */
  readonly onError?: ((error: unknown, card: Card | undefined) => void) | undefined;
}

/** How long a loop waits before it tries again what failed. */
export interface BackoffOptions {
  /** ms after the first time, doubled each time, of which half to all is waited. Default 1,000. */
  readonly initialDelay?: number | undefined;
  /** ms that the delay grows to. Default 60,000; where no card can be asked for, never more than 15,000. */
  readonly maxDelay?: number | undefined;
}

/**
 * A loop that runs. A card whose handler failed stays with it for a delay that grows with the card's attempts, so that
 * no other worker runs into the same fault meanwhile; then it is given back as failed, and after the board's `maxAttempts` it is
 * blocked. Lost connections are made good.
 */
export interface WorkLoop extends AsyncDisposable {
  /**
   * Resolves when the loop has been stopped and every card is finished or given back. Rejects if it cannot go on: there is
   * no such board or stage, a request breaks a rule, the client may open no more streams.
   */
  readonly stopped: Promise<void>;
  /**
   * Pulls nothing new, lets running handlers finish within `grace` (ms; default: the loop's), then aborts their signals and
   * gives their cards back. Again with a shorter grace hurries it. Returns `stopped`.
   */
  stop(options?: { readonly grace?: number | undefined }): Promise<void>;
  /** As `stop()`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** Returns how many cards a loop works on at once; throws a `RangeError` for what is no such number. */
export function requireConcurrency({ concurrency = 1 }: WorkLoopOptions): number {
  if (Number.isInteger(concurrency) && concurrency >= 1) return concurrency;
  throw new RangeError(`concurrency must be a whole number, 1 or more; it is ${concurrency}`);
}
