/** Ends what a session holds and the client uses no more, when its ttl has passed since a holder or worker last renewed it. */

import type { Clock } from "../rpc/clock.ts";
import type { Member, Members } from "./members.ts";

export interface Watched {
  /** Infinity: nothing will be due. */
  nextDue(): number;
  /** Ends what is due. */
  expire(now: number): void;
}

export interface Expiry {
  /** Something will be due at `at`, in monotonic ms. */
  watch(at: number): void;
  /** The session is back, with all that was due while it was away. */
  watchAll(): void;
  stop(): void;
}

/** ms between two looks at all that is held, at least. */
const SHORTEST = 100;

export function createExpiry(clock: Clock, watched: readonly Watched[], isAway: () => boolean): Expiry {
  let timer: { readonly at: number; readonly callOff: () => void } | undefined;

  function watch(at: number): void {
    if (at === Number.POSITIVE_INFINITY || (timer !== undefined && timer.at <= at)) return;
    timer?.callOff();
    const delay = Math.max(SHORTEST, at - clock.now().monotonic);
    timer = { at, callOff: clock.scheduleInBackground(delay, look) };
  }

  function look(): void {
    timer = undefined;
    // While the session is away the server lets everything run out.
    if (isAway()) return;
    for (const { expire } of watched) expire(clock.now().monotonic);
    watchAll();
  }

  function watchAll(): void {
    watch(Math.min(...watched.map(({ nextDue }) => nextDue())));
  }

  return { watch, watchAll, stop: () => timer?.callOff() };
}

/** Watches these members; each is ended by `end`, and its stream by the error. */
export function watchMembers<G, E>(
  members: Pick<Members<G, E>, "nextDue" | "takeOverdue" | "attach">,
  end: (member: Member<G, E>) => void,
  expired: () => Error,
): Watched {
  return {
    nextDue: members.nextDue,
    expire(now) {
      for (const member of members.takeOverdue(now)) {
        member.stream?.end(expired());
        members.attach(member, undefined);
        end(member);
      }
    },
  };
}
