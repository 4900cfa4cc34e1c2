/**
 * Hands out what was decided: to each stream its news, to each asker its answer. In the order in which it was decided and
 * nothing before it is kept, but for what may overtake: see `Engine`.
 */

import type { StreamId } from "../../machine/liveness.ts";
import { EngineUnavailable } from "../engine.ts";

interface Said {
  readonly kind: string;
}

/** An event whose news are plain copies. */
export interface ShownEvent<N> {
  readonly to: StreamId;
  readonly about: string;
  readonly news: N;
}

/** What a step has come to. */
export interface Decided<O, N> {
  readonly outcome: O;
  readonly events: readonly ShownEvent<N>[];
  /** Undefined: nothing has to be kept. */
  readonly kept: Promise<void> | undefined;
  /** Whether its command gives back, or shows life. */
  readonly overtakes: boolean;
}

export interface Delivery<O, N, M> {
  /** One of the two is called, once. */
  deliver(decided: Decided<O, N>, answer: (outcome: O) => void, fail: (error: EngineUnavailable) => void): void;
  /** `hand` is called when all that was decided before has been handed out. */
  add(hand: () => void): void;
  openStream(listener: Listener<N | M>): StreamId;
  closeStream(stream: StreamId): void;
  tell(stream: StreamId, about: string, news: N | M): void;
  /** Hands out nothing more; whatever waits for an answer fails. */
  close(): void;
}

type Listener<N> = (news: N, about: string) => void;

interface Parcel {
  readonly hand: () => void;
  /** What is called instead, when the engine ends. */
  readonly drop: () => void;
  /** The ids of what it grants. */
  readonly grants: readonly string[];
  kept: boolean;
}

const ENDS: ReadonlySet<string> = new Set(["ended", "work-over"]);
const GRANTS: ReadonlySet<string> = new Set(["granted", "pulled"]);

/** `subjectsOf`: the ids, by any of which it is known, of what is granted, renewed or ended. `M`: news that no step brings. */
export function createDelivery<O extends Said, N extends Said, M = never>(
  subjectsOf: (said: O | N) => readonly string[],
): Delivery<O, N, M> {
  const streams = new Map<StreamId, Listener<N | M>>();
  let parcels: Parcel[] = [];
  let urgent: Parcel[] = [];
  /** How often what waits to be handed out grants each. */
  const granting = new Map<string, number>();
  let lastStream = 0;
  let handing = false;
  let unkept = 0;

  function tell(events: readonly ShownEvent<N>[]): void {
    for (const { to, about, news } of events) streams.get(to)?.(news, about);
  }

  // A listener that is handed something may decide the next thing at once: that waits until this has been handed out whole.
  function handOut(): void {
    if (handing) return;
    handing = true;
    try {
      for (;;) {
        const next = urgent.shift() ?? (parcels[0]?.kept === true ? parcels.shift() : undefined);
        if (next === undefined) return;
        for (const id of next.grants) noteGrant(id, -1);
        next.hand();
      }
    } finally {
      handing = false;
    }
  }

  function add(kept: Promise<void> | undefined, parcel: Omit<Parcel, "kept">): void {
    const one: Parcel = { ...parcel, kept: kept === undefined };
    for (const id of one.grants) noteGrant(id, 1);
    parcels.push(one);
    if (kept === undefined) {
      handOut();
      return;
    }
    unkept += 1;
    kept.then(() => {
      unkept -= 1;
      one.kept = true;
      handOut();
    });
  }

  function noteGrant(id: string, more: number): void {
    const count = (granting.get(id) ?? 0) + more;
    if (count === 0) granting.delete(id);
    else granting.set(id, count);
  }

  function grantsOf(said: O | N): readonly string[] {
    return GRANTS.has(said.kind) ? subjectsOf(said) : NONE;
  }

  /** Some of it waits, for itself or for what was decided before. */
  function deliverInTime(
    { outcome, events, kept, overtakes }: Decided<O, N>,
    answer: (outcome: O) => void,
    fail: (error: EngineUnavailable) => void,
  ): void {
    const shows = overtakes && !subjectsOf(outcome).some((id) => granting.has(id));
    const early = shows || outcome.kind === "refused";
    const isEarly = ({ about, news: { kind } }: ShownEvent<N>) =>
      kind === "refused" || (shows && ENDS.has(kind) && !granting.has(about));
    const soon = events.filter(isEarly);
    const later = events.filter((event) => !isEarly(event));
    const drop = () => fail(new EngineUnavailable("unknown"));
    if (early || soon.length > 0) {
      const hand = () => {
        if (early) answer(outcome);
        tell(soon);
      };
      urgent.push({ hand, drop: early ? drop : NOTHING, grants: NONE, kept: true });
      handOut();
    }
    if (early && later.length === 0) return;
    const hand = () => {
      if (!early) answer(outcome);
      tell(later);
    };
    const grants = [...(early ? NONE : grantsOf(outcome)), ...later.flatMap(({ news }) => grantsOf(news))];
    add(kept, { hand, drop: early ? NOTHING : drop, grants });
  }

  return {
    deliver(decided, answer, fail) {
      if (decided.kept !== undefined || unkept > 0) {
        deliverInTime(decided, answer, fail);
        return;
      }
      const { outcome, events } = decided;
      if (handing || parcels.length > 0) {
        const hand = () => {
          answer(outcome);
          tell(events);
        };
        add(undefined, { hand, drop: () => fail(new EngineUnavailable("unknown")), grants: NONE });
        return;
      }
      handing = true;
      try {
        answer(outcome);
        tell(events);
      } finally {
        handing = false;
      }
      if (parcels.length > 0 || urgent.length > 0) handOut();
    },
    add: (hand) => add(undefined, { hand, drop: NOTHING, grants: NONE }),
    openStream(listener) {
      lastStream += 1;
      streams.set(lastStream, listener);
      return lastStream;
    },
    closeStream(stream) {
      streams.delete(stream);
    },
    tell: (stream, about, news) => streams.get(stream)?.(news, about),
    close() {
      streams.clear();
      const left = [...urgent, ...parcels];
      urgent = [];
      parcels = [];
      for (const { drop } of left) drop();
    },
  };
}

const NONE: readonly never[] = [];
const NOTHING = () => {};
