/** A command with one answer, as a promise. */

import { Code, ConnectError } from "@connectrpc/connect";
import type { Clock } from "../rpc/clock.ts";
import type { Answer, Asker, CommandTrace } from "./commands.ts";
import { aborted } from "./errors.ts";

/** How long a caller waits, and for what it asks. */
export interface Bounds {
  /** Aborts when the caller wants no answer any more; who gives one bounds the time by it. */
  readonly signal: AbortSignal | undefined;
  /** ms; heeded where there is no signal. */
  readonly timeoutMs: number | undefined;
  /** To which the call belongs that is bounded so. */
  readonly trace?: CommandTrace | undefined;
}

/** Asks by `start`, which returns what to do when the asker has gone. */
export function ask(clock: Clock, { signal, timeoutMs }: Bounds, start: (asker: Asker) => () => void): Promise<Answer> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(aborted(signal));
      return;
    }
    const onAbort = () => giveUp(aborted(signal as AbortSignal));
    const disarm =
      signal !== undefined || timeoutMs === undefined
        ? () => {}
        : clock.scheduleInBackground(timeoutMs, () => giveUp(new ConnectError("no answer", Code.DeadlineExceeded)));
    const forget = start({
      onAnswer(answer) {
        settle();
        resolve(answer);
      },
      onFailed(error) {
        settle();
        reject(error);
      },
    });
    signal?.addEventListener("abort", onAbort);

    function settle(): void {
      disarm();
      signal?.removeEventListener("abort", onAbort);
    }

    function giveUp(error: Error): void {
      settle();
      forget();
      reject(error);
    }
  });
}
