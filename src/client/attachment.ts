/** The stream that is a lease, opened anew whenever it is lost, one at a time. */

import { type Clock, elapsed, type Moment } from "./clock.ts";
import type { Random } from "./random.ts";
import type { HeldStream } from "./reliance.ts";
import type { Streams } from "./streams.ts";

export interface AttachmentPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly streams: Streams;
}

/** Asks the server to take the lease up again, on a stream of its own. */
export type Reopen<G> = (listener: ReopenListener<G>) => HeldStream;

export interface ReopenListener<G> {
  /** The stream is the lease from here on. Never called before `Reopen` has returned. */
  resumed(grant: G): void;
  /** It has ended, before or after that. Called last. */
  over(error: Error | undefined): void;
}

export interface AttachmentOptions<G> {
  /** The stream of the grant; its opener says when it has ended. */
  readonly stream: HeldStream;
  readonly reopen: Reopen<G>;
  /** The `attempt`th attempt (from 1) to make good a loss is about to be made. */
  readonly onAttempt: (attempt: number) => void;
  /** It was answered with `grant`; its request was sent at `sentAt`. */
  readonly onResumed: (grant: G, sentAt: Moment, attempt: number) => void;
  /** A stream that was opened anew, or an attempt at it, has ended. */
  readonly onOver: (error: Error | undefined) => void;
}

export interface Attachment extends HeldStream {
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
  /** Until the next attempt; its place among the streams is kept, so that no other stream takes it. */
  | { readonly kind: "pausing"; readonly callOff: () => void }
  /** An attempt that was not answered yet. */
  | { readonly kind: "asking"; stream: HeldStream | undefined }
  | { readonly kind: "left" };

export function createAttachment<G>(
  { clock, random, streams }: AttachmentPorts,
  { stream: first, reopen, onAttempt, onResumed, onOver }: AttachmentOptions<G>,
): Attachment {
  let state: State = { kind: "attached", stream: first, since: clock.now() };
  let attempts = 0;
  let isWanted = true;

  function pause(): void {
    // By chance from nothing on: all leases of a connection are lost at one instant.
    const delay = Math.min(GREATEST_DELAY, FIRST_DELAY * 2 ** (attempts - 1)) * random.fraction();
    const { leave: leavePlace } = streams.take();
    const cancel = clock.schedule(delay, () => {
      onAttempt(attempts);
      leavePlace();
      if (isWanted) ask();
    });
    state = {
      kind: "pausing",
      callOff() {
        cancel();
        leavePlace();
      },
    };
  }

  function ask(): void {
    const sentAt = clock.now();
    const asking: State = { kind: "asking", stream: undefined };
    state = asking;
    const stream = reopen({
      resumed(grant) {
        state = { kind: "attached", stream, since: clock.now() };
        onResumed(grant, sentAt, attempts);
      },
      over: onOver,
    });
    asking.stream = stream;
  }

  function stop(): void {
    isWanted = false;
    if (state.kind !== "pausing") return;
    state.callOff();
    state = { kind: "left" };
  }

  function openStream(): HeldStream | undefined {
    return state.kind === "attached" || state.kind === "asking" ? state.stream : undefined;
  }

  return {
    reattach() {
      if (!isWanted) return;
      // One that breaks as soon as it is opened must not be opened again without a pause.
      const hasLasted = state.kind === "attached" && elapsed(state.since, clock.now()) >= GREATEST_DELAY;
      attempts = hasLasted ? 1 : attempts + 1;
      pause();
    },
    stop,
    async finish() {
      stop();
      await openStream()?.finish();
    },
    cut() {
      stop();
      openStream()?.cut();
    },
  };
}
