/** One worker of a client: what it asks, and the record of what came of it. */

import type { MessageInitShape } from "@bufbuild/protobuf";
import type { DurationSchema } from "@bufbuild/protobuf/wkt";
import type { ClaimSchema } from "../../../../src/client/gen/ggen/backpressure/v1/lease_pb.ts";
import type { Dice } from "../../../server/machine/dice.ts";
import type { CounterClient } from "./counter.ts";
import { type HistoryLine, micros, type Outcome } from "./history.ts";
import { type Hold, holdLease, type Liveness } from "./hold.ts";
import type { AcquireStream, Heard, TryAnswer, Way } from "./way.ts";

/** What is wanted, with what the record needs of it. */
export type Wanted = MessageInitShape<typeof ClaimSchema> & { readonly limiter: string };

export interface Ask {
  readonly claims: readonly Wanted[];
  /** Unset: it is not asked again. */
  readonly requestId?: string;
  /** ms; unset: what the limiters have, which nothing here outlives. */
  readonly ttl?: number;
  /** ms, for Acquire alone. */
  readonly maxWait?: number;
}

export interface Worker {
  readonly dice: Dice;
  newRequestId(): string;
  acquire(ask: Ask): AcquireStream;
  /** `way`: unset: any. */
  tryAcquire(ask: Ask, way?: Way): Promise<TryAnswer>;
  /** See `Way.apart`. */
  apart(): Promise<Way>;
  /** Returns when. */
  cancel(stream: AcquireStream): number;
  /** Undefined: it holds nothing. */
  hold(heard: Heard, liveness: Liveness): Hold | undefined;
  /** Records what came of asking. */
  note(ask: Ask, asked: Asked, outcome: Outcome): void;
  surprise(what: string): void;
}

/** `queued` is there for Acquire alone. */
export type Asked = Pick<AcquireStream, "sent" | "queued"> | TryAnswer;

export interface WorkerOptions {
  /** Unique among all workers. */
  readonly name: string;
  readonly ways: readonly Way[];
  readonly counter: CounterClient;
  readonly dice: Dice;
  readonly record: (line: HistoryLine) => void;
  /** For each call: acquire, try, renew, release, cancel. */
  readonly onCall: () => void;
}

export function createWorker({ name, ways, counter, dice, record, onCall }: WorkerOptions): Worker {
  const anyWay = () => dice.pick(ways);
  const surprise = (what: string) => record({ kind: "surprise", what: `${name}: ${what}` });
  let requests = 0;
  return {
    dice,
    newRequestId() {
      requests += 1;
      return `request-of-${name}-${requests}`;
    },
    acquire(ask) {
      onCall();
      return anyWay().acquire(toRequest(ask));
    },
    tryAcquire(ask, way = anyWay()) {
      onCall();
      return way.tryAcquire(toRequest(ask));
    },
    apart: () => anyWay().apart(),
    cancel(stream) {
      onCall();
      const at = micros();
      stream.cancel();
      return at;
    },
    hold: (heard, liveness) => holdLease(heard, liveness, { way: anyWay, counter, dice, onCall, surprise }),
    note(ask, asked, outcome) {
      const claims = ask.claims.map(({ limiter, key = "" }) => ({ limiter, key }));
      const queued = "queued" in asked ? asked.queued : undefined;
      record({ kind: "attempt", requestId: ask.requestId ?? "", claims, sent: asked.sent, queued, outcome });
    },
    surprise,
  };
}

/** `until`: it was surely held until then. */
export function grantedUntil({ at, granted }: Heard, until: number): Outcome {
  const { id = "", claims = [] } = granted.lease ?? {};
  const held = claims.map(({ limiter, key, permits, tokens, fencingToken, slots }) => {
    if (fencingToken > Number.MAX_SAFE_INTEGER) throw new RangeError(`a fencing token of ${fencingToken}`);
    return { limiter, key, permits, tokens, fencingToken: Number(fencingToken), slots };
  });
  return { kind: "granted", heard: at, leaseId: id, held, until };
}

/** `waitedUntil`: if it was queued, it surely waited until then. Unset: unknown. */
export function notGranted(waitedUntil = 0): Outcome {
  return { kind: "not granted", waitedUntil };
}

function toRequest({ claims, requestId = "", ttl, maxWait }: Ask) {
  return {
    claims: [...claims],
    requestId,
    ...(ttl !== undefined && { ttl: durationOf(ttl) }),
    ...(maxWait !== undefined && { maxWait: durationOf(maxWait) }),
  };
}

function durationOf(ms: number): MessageInitShape<typeof DurationSchema> {
  return { seconds: BigInt(Math.floor(ms / 1000)), nanos: (ms % 1000) * 1e6 };
}
