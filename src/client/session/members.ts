/**
 * What a session holds, leases or cards. The server renews all of a session together, so a member whose holder has lost
 * interest would live for as long as the session: the client ends it by itself, when the server would have without a session.
 */

import type { Status } from "../gen/google/rpc/status_pb.ts";
import type { EventQueue } from "./event-queue.ts";

type State =
  | { readonly kind: "living" }
  /** It has ended while the session was away; only the server knows how. */
  | { readonly kind: "gone" }
  /** It has ended so, and its holder does not know yet. */
  | { readonly kind: "ended"; readonly status: Status };

/** `G` is the grant, `E` what its stream says. */
export interface Member<G, E> {
  readonly key: string;
  /** Undefined for one of which the client has learnt by a resume alone. */
  grant: G | undefined;
  /** ms that it outlives the last sign of its holder; 0: it ends with its stream. */
  ttl: number;
  /** When its holder has shown interest in it. Monotonic ms. */
  wantedAt: number;
  /** Undefined while its holder relies on renewals alone. */
  stream: EventQueue<E> | undefined;
  state: State;
}

export interface Adopted<G, E> extends Pick<Member<G, E>, "key" | "ttl" | "wantedAt" | "stream"> {
  readonly grant: G;
}

export interface Members<G, E> {
  /** How many live. */
  readonly living: number;
  /** How many have a stream. */
  readonly attached: number;
  get(key: string): Member<G, E> | undefined;
  /** Adds it, or gives it another stream: the one before ends with `displaced`. */
  adopt(adopted: Adopted<G, E>, displaced: () => Error): Member<G, E>;
  /** Its stream is wanted no more, or is another from here on. */
  attach(member: Member<G, E>, stream: EventQueue<E> | undefined): void;
  /** It has ended with this status, which its stream says, or the next that asks. */
  end(key: string, status: Status, error: Error | undefined): void;
  /** It has ended, and its holder knows. */
  delete(member: Member<G, E>): void;
  /** The session is away: all streams break. */
  breakStreams(error: Error): void;
  /** Of all that has lived, only `keys` live on. `now`: when the client has learnt that. */
  keepOnly(keys: readonly string[], now: number): void;
  /** Says this on all streams. */
  tell(event: E): void;
  /** Returns those that live and whose holders have shown no interest for their ttl, and forgets others of that age. */
  takeOverdue(now: number): readonly Member<G, E>[];
  /** When the next is overdue. Infinity: none will be. */
  nextDue(): number;
}

/** ms; for one whose ttl is not known, and the least for an end to be asked for. */
const UNHEARD_TTL = 30_000;

export function createMembers<G, E>(): Members<G, E> {
  const all = new Map<string, Member<G, E>>();
  let living = 0;
  let attached = 0;

  function attach(member: Member<G, E>, stream: EventQueue<E> | undefined): void {
    if (member.stream !== undefined) attached -= 1;
    member.stream = stream;
    if (stream !== undefined) attached += 1;
  }

  function enter(member: Member<G, E>, state: State): void {
    if (member.state.kind === "living") living -= 1;
    member.state = state;
    if (state.kind === "living") living += 1;
  }

  function remove(member: Member<G, E>): void {
    if (!all.delete(member.key)) return;
    if (member.state.kind === "living") living -= 1;
    attach(member, undefined);
  }

  function add(member: Member<G, E>): Member<G, E> {
    all.set(member.key, member);
    living += 1;
    if (member.stream !== undefined) attached += 1;
    return member;
  }

  /** When the client gives it back, or forgets it. */
  function dueOf({ state, ttl, wantedAt }: Member<G, E>): number {
    if (state.kind !== "living") return wantedAt + Math.max(UNHEARD_TTL, ttl);
    return ttl === 0 ? Number.POSITIVE_INFINITY : wantedAt + ttl;
  }

  return {
    get living() {
      return living;
    },
    get attached() {
      return attached;
    },
    get: (key) => all.get(key),
    adopt(adopted, displaced) {
      const member = all.get(adopted.key);
      if (member === undefined) return add({ ...adopted, state: { kind: "living" } });
      const { grant, ttl, wantedAt, stream } = adopted;
      Object.assign(member, { grant, ttl, wantedAt });
      enter(member, { kind: "living" });
      if (member.stream !== stream) member.stream?.end(displaced());
      attach(member, stream);
      return member;
    },
    attach,
    end(key, status, error) {
      const member = all.get(key);
      if (member === undefined) return;
      if (member.stream === undefined) {
        enter(member, { kind: "ended", status });
      } else {
        member.stream.end(error);
        remove(member);
      }
    },
    delete: remove,
    breakStreams(error) {
      for (const member of all.values()) {
        member.stream?.end(error);
        attach(member, undefined);
        if (member.state.kind === "living" && member.ttl === 0) enter(member, { kind: "gone" });
      }
    },
    keepOnly(keys, now) {
      const kept = new Set(keys);
      for (const member of all.values()) {
        if (member.state.kind === "living" && !kept.has(member.key)) enter(member, { kind: "gone" });
      }
      for (const key of kept) {
        const member = all.get(key);
        if (member === undefined) {
          const unheard = { key, grant: undefined, ttl: UNHEARD_TTL, wantedAt: now, stream: undefined };
          add({ ...unheard, state: { kind: "living" } });
        } else if (member.state.kind === "gone") {
          enter(member, { kind: "living" });
        }
      }
    },
    tell(event) {
      for (const { stream } of all.values()) stream?.push(event);
    },
    takeOverdue(now) {
      const overdue = [...all.values()].filter((member) => dueOf(member) <= now);
      for (const member of overdue) {
        // Until the server has confirmed its end it is tried again.
        if (member.state.kind === "living") member.wantedAt = now;
        else remove(member);
      }
      return overdue.filter(({ state }) => state.kind === "living");
    },
    nextDue() {
      let next = Number.POSITIVE_INFINITY;
      for (const member of all.values()) next = Math.min(next, dueOf(member));
      return next;
    },
  };
}
