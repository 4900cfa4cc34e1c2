/** The stream that is a lease, opened anew whenever it is lost, one at a time, in one place among the streams. */

import type { CallStream, HeldStream } from "../rpc/call-stream.ts";
import { type Clock, elapsed, type Moment } from "../rpc/clock.ts";
import type { Random } from "../rpc/random.ts";
import type { StreamPlace } from "../rpc/stream-budget.ts";

export interface ResumableStreamPorts {
  readonly clock: Clock;
  readonly random: Random;
}

export interface ResumableStreamOptions<G> {
  /** The stream of the grant, which nothing else reads. */
  readonly stream: CallStream<G>;
  /** Asks the server to take the lease up again, on a stream of its own in the same place. */
  readonly reopen: (place: StreamPlace) => CallStream<G>;
  /** The `attempt`th attempt (from 1) to make good a loss is about to be made. */
  readonly onAttempt: (attempt: number) => void;
  /** It was answered with `grant`; its request was sent at `sentAt`. */
  readonly onResumed: (grant: G, sentAt: Moment, attempt: number) => void;
  /** The stream, or an attempt to open it anew, has ended. */
  readonly onOver: (error: Error | undefined) => void;
}

export interface ResumableStream extends HeldStream {
  /** Its stream, or the last attempt, has ended, and the lease is wanted still: tries again, a while later. */
  reattach(): void;
  /** It is wanted no more. An attempt that is under way is left alone: see `finish` and `cut`. */
  stop(): void;
}

/** ms before the first attempt, doubled for each further one up to the greatest; by chance any part of it. */
const FIRST_DELAY = 50;
const GREATEST_DELAY = 1000;

type State =
  | { readonly kind: "attached"; readonly stream: HeldStream; readonly since: Moment }
  /** An attempt that was not answered yet. */
  | { readonly kind: "asking"; readonly stream: HeldStream }
  /** `lasted`: so many ms had passed since the stream was opened. */
  | { readonly kind: "broken"; readonly lasted: number }
  /** Until the next attempt. */
  | { readonly kind: "pausing"; readonly callOff: () => void };

export function createResumableStream<G>(
  { clock, random }: ResumableStreamPorts,
  { stream: first, reopen, onAttempt, onResumed, onOver }: ResumableStreamOptions<G>,
): ResumableStream {
  const { place } = first;
  let state: State = { kind: "attached", stream: first, since: clock.now() };
  let attempts = 0;
  let isWanted = true;

  async function follow(stream: CallStream<G>): Promise<void> {
    const sentAt = clock.now();
    let error: Error | undefined;
    try {
      for await (const grant of stream) {
        if (state.kind !== "asking") continue;
        state = { kind: "attached", stream, since: clock.now() };
        onResumed(grant, sentAt, attempts);
      }
    } catch (thrown) {
      error = thrown as Error;
    }
    state = { kind: "broken", lasted: state.kind === "attached" ? elapsed(state.since, clock.now()) : 0 };
    onOver(error);
    leavePlace();
  }

  function pause(): void {
    // By chance from nothing on: all leases of a connection are lost at one instant.
    const delay = Math.min(GREATEST_DELAY, FIRST_DELAY * 2 ** (attempts - 1)) * random.fraction();
    const callOff = clock.schedule(delay, () => {
      onAttempt(attempts);
      if (isWanted) ask();
    });
    state = { kind: "pausing", callOff };
  }

  function ask(): void {
    const stream = reopen(place);
    state = { kind: "asking", stream };
    void follow(stream);
  }

  function stop(): void {
    isWanted = false;
    if (state.kind === "pausing") state.callOff();
    leavePlace();
  }

  /** Its place is kept until it is wanted no more, so that no other stream takes it between two. */
  function leavePlace(): void {
    if (!isWanted && openStream() === undefined) place.leave();
  }

  function openStream(): HeldStream | undefined {
    return state.kind === "attached" || state.kind === "asking" ? state.stream : undefined;
  }

  void follow(first);
  return {
    reattach() {
      if (!isWanted) return;
      // One that breaks as soon as it is opened must not be opened again without a pause.
      const hasLasted = state.kind === "broken" && state.lasted >= GREATEST_DELAY;
      attempts = hasLasted ? 1 : attempts + 1;
      pause();
    },
    stop,
    async finish() {
      stop();
      await openStream()?.finish();
      place.leave();
    },
    cut(reason) {
      stop();
      openStream()?.cut(reason);
      place.leave();
    },
  };
}
