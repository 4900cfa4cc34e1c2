/** One question to wait for: a call that streams until its grant, after which the call is what was granted. */

import { type CallStream, openCallStream, type StreamingCall } from "./call-stream.ts";
import type { Moment } from "./clock.ts";
import type { AskPorts } from "./ports.ts";
import type { HeldStream } from "./reliance.ts";
import { remainingOf } from "./validity.ts";

/** What is asked: `E` is what its stream says, `G` what is granted, `H` what holds that, `A` the answer. */
export interface Question<E, G, H, A> {
  readonly call: StreamingCall<E>;
  /** What the stream said; undefined where it changes nothing. */
  read(event: E): Heard<G, H> | undefined;
  /** Asks the server whether a grant still stands: the grant anew, or an error that says why it does not. */
  confirm(grant: G): Promise<G>;
  /** Begins to hold what was granted to a request sent at `sentAt`. */
  hold(grant: G, sentAt: Moment, stream: HeldStream): { readonly answer: A; readonly holding: H | undefined };
}

export type Heard<G, H> =
  /** The server has taken the question in; what `tell` throws takes the question back. */
  | { readonly kind: "waiting"; readonly tell: () => void }
  | { readonly kind: "granted"; readonly grant: G }
  | { readonly kind: "refused"; readonly error: Error }
  | { readonly kind: "notice"; readonly tell: (holding: H | undefined) => void };

export interface Asking {
  /** Aborting it takes the question back, until the grant; its asker withdraws it then. */
  readonly signal: AbortSignal;
  /** Told that the server has taken the question in. */
  readonly onHeard: () => void;
}

/** A grant: ms for which it may be relied on from when its request was sent; undefined: it is bound to its stream. */
interface Granted {
  readonly validFor: number | undefined;
}

interface StreamHolding {
  /** The stream has ended, with an error or by the server's will. */
  streamOver(error: Error | undefined): void;
}

type Phase<H> =
  | { readonly kind: "waiting" }
  /** Granted after so long a wait that the request which was answered proves nothing any more: it is being confirmed. */
  | { readonly kind: "confirming" }
  | { readonly kind: "holding"; readonly holding: H }
  | { readonly kind: "over" };

/** Resolves with the grant; rejects with whatever ended the call before, or the reason for which it was taken back. */
export function ask<E, G extends Granted, H extends StreamHolding, A>(
  { calls, clock, streams }: AskPorts,
  question: Question<E, G, H, A>,
  { signal, onHeard }: Asking,
): Promise<A> {
  return new Promise((resolve, reject) => {
    let phase: Phase<H> = { kind: "waiting" };
    const takeBack = () => fail(signal.reason);
    const sentAt = clock.now();
    const stream: CallStream = openCallStream({ calls, clock, streams }, question.call, { hear, over });
    if (phase.kind === "waiting") signal.addEventListener("abort", takeBack);

    function hear(event: E): void {
      const heard = question.read(event);
      switch (heard?.kind) {
        case "waiting":
          onHeard();
          try {
            heard.tell();
          } catch (error) {
            fail(error);
          }
          return;
        case "granted": {
          if (phase.kind !== "waiting") return;
          const { validFor } = heard.grant;
          const isProven = validFor === undefined || remainingOf({ sentAt, validFor }, clock) > 0;
          if (isProven) hold(heard.grant, sentAt);
          else void confirm(heard.grant);
          return;
        }
        case "refused":
          fail(heard.error);
          return;
        case "notice":
          heard.tell(phase.kind === "holding" ? phase.holding : undefined);
          return;
      }
    }

    function hold(grant: G, since: Moment): void {
      const { answer, holding } = question.hold(grant, since, stream);
      enter(holding === undefined ? { kind: "over" } : { kind: "holding", holding });
      resolve(answer);
    }

    async function confirm(grant: G): Promise<void> {
      phase = { kind: "confirming" };
      const since = clock.now();
      try {
        const confirmed = await question.confirm(grant);
        if (phase.kind === "confirming") hold(confirmed, since);
      } catch (error) {
        fail(error);
      }
    }

    function fail(reason: unknown): void {
      end(reason);
      stream.cut();
    }

    function over(error: Error | undefined): void {
      if (phase.kind === "holding") phase.holding.streamOver(error);
      else end(error ?? calls.unavailable("it ended the stream without a grant"));
    }

    function end(reason: unknown): void {
      if (phase.kind !== "waiting" && phase.kind !== "confirming") return;
      enter({ kind: "over" });
      reject(reason);
    }

    /** Leaves the phases in which the question can be taken back. */
    function enter(next: Phase<H>): void {
      phase = next;
      signal.removeEventListener("abort", takeBack);
    }
  });
}
