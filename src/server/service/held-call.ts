/**
 * A call whose stream first waits and then holds: an Acquire, or a pull. When the stream ends without the server's doing it
 * gives back what it has; when the server stops, waiters are rejected and holders are notified.
 */

import { draining } from "../wire/error-wire.ts";
import type { Heartbeats } from "./heartbeats.ts";
import { createOutbox } from "./outbox.ts";
import type { ServerStream, StreamEnd } from "./rpc.ts";
import type { StreamOver } from "./verbs.ts";

/** A call that is open. */
export interface OpenCall {
  /**
   * The server stops. A waiter is asked to come back later, and leaves its queue as if its stream had ended in this way. A
   * holder learns until when (ms since 1970) it may hold.
   */
  drain(endTime: number, waiterLeaves: StreamEnd): void;
}

export type Phase =
  /** The engine has not answered yet. */
  | { readonly kind: "asked" }
  | { readonly kind: "waiting"; readonly id: string }
  | { readonly kind: "holding"; readonly id: string }
  | { readonly kind: "over" };

export interface HeldCallOptions<K, O> {
  readonly stream: ServerStream<O>;
  readonly heartbeats: Heartbeats;
  /** Where the call stands while it is open. */
  readonly openCalls: Set<OpenCall>;
  /** The id that was asked under; undefined: something that lives already was asked for. */
  readonly askedId: string | undefined;
  /** The kind of message that tells what is held. */
  readonly grant: K;
  /** It has said nothing for a while. */
  readonly beat: () => void;
  /** The server stops, and the holder may finish until then. */
  readonly sayDraining: (endTime: number) => void;
  /** What has this id goes back to the engine, as the stream has ended. */
  readonly giveBack: (id: string, gone: Gone) => void;
  /** The call is over: nothing that the engine says of it is heard any more. */
  readonly onOver: () => void;
}

/** How a stream has ended without the server's doing. */
export interface Gone {
  readonly how: StreamEnd;
  /** Whether the message that tells what is held has not left this process. */
  readonly unheard: boolean;
}

/** `K`: the kinds of what it says. */
export interface HeldCall<K, O> {
  readonly phase: Phase;
  /** A reader that is behind gets the newest of each kind. */
  say(kind: K, message: O): void;
  /** Forgets what of this kind a reader that is behind has not got. */
  drop(kind: K): void;
  waits(id: string): void;
  holds(id: string): void;
  /** Ends the stream, after all that was said. */
  end(how: StreamOver): void;
  /** The engine has answered, and the answer was said; to be called once. */
  answered(): void;
}

export function createHeldCall<K, O>(options: HeldCallOptions<K, O>): HeldCall<K, O> {
  const { stream, heartbeats, openCalls, askedId, grant, beat, sayDraining, giveBack, onOver } = options;
  let phase: Phase = { kind: "asked" };
  // Before the answer there is nothing that could be given back, and it is not known whether it waits.
  let goneEarly: StreamEnd | undefined;
  let drainsEarly: Parameters<OpenCall["drain"]> | undefined;
  const outbox = createOutbox<K, O>(stream);
  const heart = heartbeats.add(beat);

  function close(): void {
    phase = { kind: "over" };
    heart.stop();
    onOver();
    openCalls.delete(call);
  }

  function leave(how: StreamEnd): void {
    const id = phase.kind === "waiting" || phase.kind === "holding" ? phase.id : undefined;
    const unheard = goneEarly !== undefined || outbox.keeps(grant);
    close();
    if (id !== undefined) giveBack(id, { how, unheard });
  }

  const call: OpenCall = {
    drain(endTime, waiterLeaves) {
      if (phase.kind === "asked") {
        drainsEarly = [endTime, waiterLeaves];
      } else if (phase.kind === "holding") {
        sayDraining(endTime);
      } else if (phase.kind === "waiting") {
        leave(waiterLeaves);
        stream.fail(draining());
      }
    },
  };

  openCalls.add(call);
  stream.onEnd((how) => {
    if (phase.kind === "asked") {
      if (goneEarly !== undefined) return;
      goneEarly = how;
      // The answer may wait for the disk for long: what was decided by now is given back at once.
      if (askedId !== undefined) giveBack(askedId, { how, unheard: true });
    } else if (phase.kind !== "over") {
      leave(how);
    }
  });

  return {
    get phase() {
      return phase;
    },
    say(kind, message) {
      outbox.put(kind, message);
      heart.touch();
    },
    drop: (kind) => outbox.drop(kind),
    waits(id) {
      phase = { kind: "waiting", id };
    },
    holds(id) {
      phase = { kind: "holding", id };
    },
    end(how) {
      close();
      outbox.flush();
      if (how === "ok") stream.end();
      else stream.fail(how);
    },
    answered() {
      if (goneEarly !== undefined && phase.kind !== "over") leave(goneEarly);
      if (drainsEarly !== undefined) call.drain(...drainsEarly);
    },
  };
}
