/** Saying something to the server until it has confirmed it. */

import { type Clock, elapsed } from "./clock.ts";
import { type Retries, sleep } from "./retry.ts";

export interface SayPorts {
  readonly clock: Clock;
  readonly retries: Retries;
  /** Aborts when nothing can be said any more: the connections are closed. */
  readonly closed: AbortSignal;
}

export interface SayOptions {
  /** ms for which it is said again. */
  readonly patience: number;
  /** Called once, when it is about to be said again. */
  readonly onAgain?: (() => void) | undefined;
}

/** Says it again where no answer came, by `say` for the `attempt`th time (from 1). Rejects with what the last time ended with. */
export async function sayAgain<T>(
  { clock, retries, closed }: SayPorts,
  { patience, onAgain }: SayOptions,
  say: (attempt: number) => Promise<T>,
): Promise<T> {
  const since = clock.now();
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await say(attempt);
    } catch (error) {
      const delay = retries.patientDelayAfter(error, attempt);
      if (closed.aborted || delay === undefined || elapsed(since, clock.now()) + delay > patience) throw error;
      if (attempt === 1) onAgain?.();
      await sleep(clock, delay, closed).catch(() => {});
    }
  }
}
