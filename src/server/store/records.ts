/** Records as rows, and rows as records: what the machines keep, in JSON under a key. */

import type { BoardChange } from "../machine/board/command.ts";
import type { BoardConfig } from "../machine/board/model.ts";
import {
  type BoardRecord,
  type BoardRecords,
  boardRecord,
  type CardRecord,
  cardRecord,
} from "../machine/board/record.ts";
import type { Change } from "../machine/command.ts";
import type { LimiterConfig } from "../machine/limiter.ts";
import { createRate, type Rate } from "../machine/rate.ts";
import {
  type BucketRecord,
  bucketRecord,
  type LeaseRecord,
  type LimiterRecord,
  leaseRecord,
  limiterRecord,
  type PastRequestRecord,
  pastRequestRecord,
  type Records,
  type WaiterRecord,
  waiterRecord,
} from "../machine/record.ts";
import type { Row, RowChange } from "./row.ts";

/** What a change is to the store. */
export interface Kept {
  readonly row: RowChange;
  /** Leases and what belongs to them are as safe as the configuration has it; all else is on disk. */
  readonly of: "lease" | "configuration";
  /** Nobody hears of it before it is kept. Of what only gives back anybody may: forgotten, it would be held a ttl longer. */
  readonly awaited: boolean;
}

/** Undefined: nobody can come back to it. */
export function toKept(change: Change | BoardChange, { epoch, ranBefore }: Zero): Kept | undefined {
  switch (change.kind) {
    case "lease-put":
      return put("lease", "lease", change.lease.id, leaseRecord(change.lease, epoch));
    case "lease-ended":
      return gone("lease", "lease", change.lease.id);
    case "record-dropped":
      return gone("lease", change.of, change.id);
    case "bucket-dropped":
      return gone("lease", "bucket", nameOf(change.limiter, change.key));
    case "tokens-spent": {
      const { limiter, key } = change.instance;
      return put("lease", "bucket", nameOf(limiter.config.name, key), bucketRecord(change.instance, ranBefore));
    }
    case "waiter-put": {
      const { waiter } = change;
      if (waiter.requestId === "") return undefined;
      return put("lease", "waiter", waiter.id, waiterRecord(waiter, epoch));
    }
    case "waiter-left":
      return change.waiter.requestId === "" ? undefined : gone("lease", "waiter", change.waiter.id);
    case "request-past": {
      const { requestId, past } = change;
      const kept = put("lease", "request", requestId, pastRequestRecord(requestId, past, epoch));
      return { ...kept, awaited: past.kind === "spent" };
    }
    case "limiter-put":
      return put(
        "configuration",
        "limiter",
        change.limiter.config.name,
        limiterRecord(change.limiter, { epoch, ranBefore }),
      );
    case "limiter-removed":
      return { ...gone("configuration", "limiter", change.name), awaited: true };
    case "board-put":
      return put("configuration", "board", change.board.config.name, boardRecord(change.board, epoch));
    case "board-removed":
      return { ...gone("configuration", "board", change.name), awaited: true };
    case "card-put": {
      const { card } = change;
      const name = nameOf(card.stage.board.config.name, card.id);
      return put("configuration", "card", name, cardRecord(card, epoch));
    }
    case "card-removed":
      return { ...gone("configuration", "card", nameOf(change.board, change.cardId)), awaited: true };
  }
}

/** The machines' zero, in the times of the records. */
export interface Zero {
  /** µs since 1970. */
  readonly epoch: number;
  /** µs for which the server had run: running time. */
  readonly ranBefore: number;
}

/** What a store has found at its start. */
export interface Found {
  readonly limiters: Records;
  readonly boards: BoardRecords;
  /** What stands under the store's own keys. */
  readonly own: ReadonlyMap<string, string>;
  /** µs for which the server had run at the machines' zero, by what is durable. */
  readonly ranBefore: number;
}

/**
 * Rows of a kind that this version does not know are left alone. Instants are told in µs from the machines' zero; `now` is
 * such an instant, from which the server runs on.
 */
export function fromRows(rows: readonly Row[], epoch: number, now: number): Found {
  const found = {
    limiter: [] as LimiterRecord[],
    bucket: [] as BucketRecord[],
    lease: [] as LeaseRecord[],
    waiter: [] as WaiterRecord[],
    request: [] as PastRequestRecord[],
    board: [] as BoardRecord[],
    card: [] as CardRecord[],
  };
  const own = new Map<string, string>();
  const ago = (record: object) => shifted(record as Readonly<Record<string, unknown>>, -epoch);
  for (const { key, body } of rows) {
    const [kind = ""] = key.split(":", 1);
    if (kind === OWN) own.set(key.slice(OWN.length + 1), body);
    if (!(kind in found)) continue;
    const record = ago(JSON.parse(body));
    (found[kind as keyof typeof found] as unknown[]).push(record);
  }
  const buckets = found.bucket.map(bucketOfNow);
  const ranBefore = ranUntil(found.limiter, buckets, own) - now;
  const { limiter, lease, waiter, request, board, card } = found;
  return {
    limiters: {
      limiters: limiter.map((record) => ({
        ...record,
        config: whole(record.config),
        declaration: record.declaration && whole(record.declaration),
        bornAt: record.bornAt === undefined ? undefined : record.bornAt - ranBefore,
        earlierRates: record.earlierRates?.map(({ rate, until }) => ({
          rate: rate && rateOfNow(rate),
          until: until - ranBefore,
        })),
      })),
      buckets: buckets.map((record) => ({
        ...record,
        at: record.at === undefined ? undefined : record.at - ranBefore,
      })),
      leases: lease,
      waiters: waiter,
      // Work without a ttl has ended with its stream.
      adopted: new Set(card.flatMap(({ work }) => (work?.claimed && work.ttl !== 0 ? [work.id] : []))),
      pastRequests: request.map((record) => ({ ...record, grant: record.grant && (ago(record.grant) as LeaseRecord) })),
    },
    boards: {
      boards: board.map((record) => ({
        ...record,
        config: wholeBoard(record.config),
        declaration: record.declaration && wholeBoard(record.declaration),
      })),
      cards: card.map((record) => ({
        ...record,
        work: record.work && (ago(record.work) as NonNullable<CardRecord["work"]>),
        lastWork: record.lastWork && (ago(record.lastWork) as NonNullable<CardRecord["lastWork"]>),
      })),
    },
    own,
    ranBefore,
  };
}

/**
 * The last durable sign that the server ran, in running time: its last mark, or what was kept since of a bucket or of a
 * limiter that was made or whose rate was changed.
 */
function ranUntil(
  limiters: readonly LimiterRecord[],
  buckets: readonly BucketRecord[],
  own: ReadonlyMap<string, string>,
): number {
  let latest = Number(own.get(RUNNING_TIME) ?? 0);
  for (const { bornAt = 0, earlierRates = [] } of limiters) {
    latest = Math.max(latest, bornAt, earlierRates.at(-1)?.until ?? 0);
  }
  for (const { at = 0 } of buckets) latest = Math.max(latest, at);
  return latest;
}

/** The row of the store's own that says for how long the server has run. */
export const RUNNING_TIME = "running-time";

/** Cards, as `board/card`, that name a board or a stage which is not among the boards. */
export function cardsNowhere({ boards, cards }: BoardRecords): string[] {
  const places = new Set(boards.flatMap(({ config }) => config.stages.map((stage) => nameOf(config.name, stage.name))));
  return cards.filter(({ board, stage }) => !places.has(nameOf(board, stage))).map(({ board, id }) => `${board}/${id}`);
}

/** A row of the store's own. */
export function ownRow(name: string, body: string): RowChange {
  return { key: `${OWN}:${name}`, body };
}

/** The key under which a request id is remembered. */
export function isPastRequest(key: string): boolean {
  return key.startsWith("request:");
}

/** Whether a row is as safe as leases are. */
export function isOfLeases(key: string): boolean {
  return ["lease:", "bucket:", "waiter:", "request:"].some((kind) => key.startsWith(kind));
}

const OWN = "store";

/** The fields that hold an instant. */
const INSTANTS = [
  "createdAt",
  "updatedAt",
  "grantedAt",
  "arrivedAt",
  "deadline",
  "addedAt",
  "enteredAt",
  "completedAt",
  "blockedAt",
  "pulledAt",
];

function shifted(record: Readonly<Record<string, unknown>>, by: number): object {
  const moved: Record<string, unknown> = { ...record };
  for (const field of INSTANTS) if (typeof moved[field] === "number") moved[field] = (moved[field] as number) + by;
  return moved;
}

/** JSON leaves out what is undefined, and a field that is missing is not equal to one that is not set. */
function whole(config: LimiterConfig): LimiterConfig {
  const { rate, maxConcurrent, maxWait } = config;
  return { ...config, rate: rate && rateOfNow(rate), maxConcurrent, maxWait };
}

/** Format 1 counted a rate in thousandths of a token a second, and a bucket in nanotokens. */
const NANOTOKENS = 1e9;

interface FirstRate {
  readonly milliRps: number;
  readonly capacity: number;
}

interface FirstBucket {
  readonly limiter: string;
  readonly key: string;
  readonly level: number;
}

/** What follows from the words of a rate is worked out anew. */
function rateOfNow(rate: Rate | FirstRate): Rate | undefined {
  if (!("milliRps" in rate)) return createRate(rate.stated, rate.capacity);
  return createRate({ kind: "per-second", maxRps: rate.milliRps / 1000 }, rate.capacity / NANOTOKENS);
}

function bucketOfNow(record: BucketRecord | FirstBucket): BucketRecord {
  if (!("level" in record)) return record;
  const { limiter, key, level } = record;
  const tokens = Math.floor(level / NANOTOKENS);
  return { limiter, key, tokens, parts: level - tokens * NANOTOKENS, rate: [0, NANOTOKENS, 0], at: undefined };
}

function wholeBoard(config: BoardConfig): BoardConfig {
  const { keepCompletedFor, stages } = config;
  return { ...config, keepCompletedFor, stages: stages.map(({ wipLimit, ...stage }) => ({ ...stage, wipLimit })) };
}

function put(of: Kept["of"], kind: string, name: string, record: object): Kept {
  return { row: { key: `${kind}:${name}`, body: JSON.stringify(record) }, of, awaited: true };
}

function gone(of: Kept["of"], kind: string, name: string): Kept {
  return { row: { key: `${kind}:${name}`, body: undefined }, of, awaited: false };
}

function nameOf(...parts: readonly string[]): string {
  return JSON.stringify(parts);
}
