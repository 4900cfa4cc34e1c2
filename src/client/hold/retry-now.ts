/** Asking what is answered at once: again, under the same request id, until there is an answer or no time is left. */

import type { Moment } from "../rpc/clock.ts";
import { linkSignals, unlessAborted } from "../rpc/linked-signal.ts";
import type { AskPorts } from "../rpc/ports.ts";
import { sleep } from "../rpc/retry.ts";
import { inVisits } from "../rpc/visibility.ts";
import { createAsked } from "./request.ts";
import type { AskOptions } from "./retry-waiting.ts";

export interface InstantAttempt {
  readonly requestId: string;
  /** When the attempt began. */
  readonly sentAt: Moment;
  /** ms that are left for its answer. */
  readonly within: number;
  /** Aborts when the answer is not wanted any more; what it grants is then given back. */
  readonly signal: AbortSignal;
}

/** Asks a question that is answered at once: all attempts together have `answerWithin`, without the time that the page is away. */
export async function askNow<A>(
  ports: AskPorts,
  options: Omit<AskOptions, "maxWait">,
  answer: (attempt: InstantAttempt) => Promise<A>,
): Promise<A> {
  const { availability, calls, clock, retries, visibility } = ports;
  options.signal?.throwIfAborted();
  ports.closing.throwIfAborted();
  const passage = availability.enter();
  const asked = createAsked(ports, options);
  const { signal, unlink } = linkSignals(options.signal, ports.closing);
  const until = visibility.now() + calls.answerWithin;

  async function askUntil(unwanted: AbortSignal): Promise<A> {
    for (let attempts = 1; ; attempts += 1) {
      passage.sent();
      asked.sent();
      try {
        const { requestId } = asked;
        const within = until - visibility.now();
        const answering = answer({ requestId, sentAt: clock.now(), within, signal: unwanted });
        return await unlessAborted(lookAfter(answering, ports), unwanted);
      } catch (error) {
        if (unwanted.aborted) throw unwanted.reason;
        if (asked.isOver(error)) {
          asked.renew();
          continue;
        }
        const delay = passage.isProbe ? undefined : retries.delayAfter(error, attempts);
        if (delay === undefined || visibility.now() + delay >= until) throw error;
        await sleep(clock, delay, unwanted);
      }
    }
  }

  try {
    // What the page does not withdraw may still be answered when it comes back.
    if (!asked.endsWithPage) {
      await visibility.untilShown(signal);
      return await askUntil(signal);
    }
    return await inVisits({ visibility, signal }, (visit) => askUntil(visit.signal), asked.renew);
  } catch (error) {
    asked.giveUp(error, signal.aborted);
    passage.failed(signal.aborted ? undefined : error);
    throw error;
  } finally {
    asked.answered();
    unlink();
  }
}

/** An abort does not cancel the call, whose answer may be a grant: the client waits for it before it closes. */
function lookAfter<A>(answering: Promise<A>, { underway }: AskPorts): Promise<A> {
  const answered = answering.then(
    () => void underway.delete(answered),
    () => void underway.delete(answered),
  );
  underway.add(answered);
  return answering;
}
