/** Calling again, when no answer came, or the server was about to stop or could not keep what was asked. */

import type { RetryOptions } from "../api/client.ts";
import { AdmissionError, ServerUnavailableError } from "../api/errors.ts";
import type { Clock } from "./clock.ts";
import type { Random } from "./random.ts";

export interface Retries {
  /** ms to wait before the call after `attempts` of them that failed, the last with `error`; undefined: give up. */
  delayAfter(error: unknown, attempts: number): number | undefined;
  /** The same for a call that has something to lose: however many have failed, unless one never calls again. */
  patientDelayAfter(error: unknown, attempts: number): number | undefined;
}

/** Doubles from the initial delay (ms) to the greatest, and takes half to all of that by chance, so that crowds spread. */
export function createBackoff(
  random: Random,
  { initialDelay, maxDelay }: { readonly initialDelay: number; readonly maxDelay: number },
): (attempts: number) => number {
  return (attempts) => Math.min(maxDelay, initialDelay * 2 ** (attempts - 1)) * (0.5 + random.fraction() / 2);
}

export function createRetries(random: Random, options: RetryOptions = {}): Retries {
  const { maxAttempts = 6, initialDelay = 100, maxDelay = 3000 } = options;
  const backoffAfter = createBackoff(random, { initialDelay, maxDelay });

  function patientDelayAfter(error: unknown, attempts: number): number | undefined {
    if (maxAttempts <= 1) return undefined;
    const backoff = backoffAfter(attempts);
    if (error instanceof ServerUnavailableError) return backoff;
    if (!(error instanceof AdmissionError) || error.code !== "UNAVAILABLE") return undefined;
    return (error.retryAfterMs ?? 0) + backoff;
  }

  return {
    delayAfter: (error, attempts) => (attempts >= maxAttempts ? undefined : patientDelayAfter(error, attempts)),
    patientDelayAfter,
  };
}

/** Waits so many ms; rejects with the signal's reason as soon as that aborts. */
export function sleep(clock: Clock, delay: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason);
      return;
    }
    const onAbort = () => {
      cancel();
      reject(signal.reason);
    };
    const cancel = clock.schedule(delay, () => {
      signal.removeEventListener("abort", onAbort);
      resolve();
    });
    signal.addEventListener("abort", onAbort, { once: true });
  });
}
