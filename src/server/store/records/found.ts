/** Rows as records: what a store has found at its start. */

import type { BoardConfig } from "../../machine/board/model.ts";
import type { BoardRecord, BoardRecords, CardRecord } from "../../machine/board/record.ts";
import { LIMITER_DEFAULTS, type LimiterConfig } from "../../machine/limiter/limiter.ts";
import type {
  BucketRecord,
  LeaseRecord,
  LimiterRecord,
  PastRequestRecord,
  Records,
  WaiterRecord,
} from "../../machine/limiter/record.ts";
import type { Row } from "../row.ts";
import { BucketTable } from "./bucket-table.ts";
import { bucketOfNow, rateOfNow } from "./first-format.ts";
import { nameOf, OWN, RUNNING_TIME, requestKey } from "./keys.ts";
import type { Zero } from "./to-kept.ts";

/** What a store has found at its start. */
export interface Found {
  readonly limiters: Records;
  readonly boards: BoardRecords;
  /** For each rate, when the last bucket is full that fills under it, as an instant from the machines' zero. */
  readonly fullAt: readonly { readonly rate: BucketRecord["rate"]; readonly at: number }[];
  /** The store's own rows, by key. */
  readonly own: ReadonlyMap<string, string>;
  /** µs for which the server had run at the machines' zero, as far as that is durable. */
  readonly ranBefore: number;
}

/** Collects what a start finds, as its rows are read. */
export interface Finding {
  /** Rows of a kind that this version does not know are left alone. */
  take(row: Row): void;
  /**
   * Returns the whole, once all rows are taken. Instants are counted in µs from the machines' zero, which is `epoch`
   * since 1970; `now` is such an instant, from which the server runs on.
   */
  finish(epoch: number, now: number): Found;
}

export function createFinding(): Finding {
  const found = {
    limiter: [] as LimiterRecord[],
    lease: [] as LeaseRecord[],
    waiter: [] as WaiterRecord[],
    request: [] as PastRequestRecord[],
    board: [] as BoardRecord[],
    card: [] as CardRecord[],
  };
  const buckets = new BucketTable();
  const own = new Map<string, string>();
  return {
    take({ key, body }) {
      const kind = key.slice(0, key.indexOf(":"));
      if (kind === "bucket") buckets.add(bucketOfNow(JSON.parse(body)));
      else if (kind === OWN) own.set(key.slice(OWN.length + 1), body);
      else if (kind in found) (found[kind as keyof typeof found] as unknown[]).push(JSON.parse(body));
    },
    finish(epoch, now) {
      const ranBefore = ranUntil(found.limiter, buckets, own) - now;
      return {
        limiters: limiterRecords({ ...found, buckets: buckets.records(ranBefore) }, { epoch, ranBefore }),
        boards: boardRecords(found, epoch),
        fullAt: Array.from(buckets.fullAt, ([rate, at]) => ({ rate, at: at - ranBefore })),
        own,
        ranBefore,
      };
    },
  };
}

/** Returns what the rows say. */
export function fromRows(rows: Iterable<Row>, epoch: number, now: number): Found {
  const finding = createFinding();
  for (const row of rows) finding.take(row);
  return finding.finish(epoch, now);
}

interface LimiterRows {
  readonly limiter: readonly LimiterRecord[];
  readonly buckets: Iterable<BucketRecord>;
  readonly lease: readonly LeaseRecord[];
  readonly waiter: readonly WaiterRecord[];
  readonly request: readonly PastRequestRecord[];
  readonly card: readonly CardRecord[];
}

function limiterRecords(rows: LimiterRows, { epoch, ranBefore }: Zero): Records {
  const ago = <R extends object>(record: R) => shifted(record, -epoch);
  return {
    limiters: rows.limiter.map((row) => {
      const record = ago(row);
      return {
        ...record,
        config: whole(record.config),
        declaration: record.declaration && whole(record.declaration),
        bornAt: record.bornAt === undefined ? undefined : record.bornAt - ranBefore,
        earlierRates: record.earlierRates?.map(({ rate, until }) => ({
          rate: rate && rateOfNow(rate),
          until: until - ranBefore,
        })),
      };
    }),
    buckets: rows.buckets,
    leases: rows.lease.map(ago),
    waiters: rows.waiter.map(ago),
    // Work without a ttl has ended with its stream.
    adopted: new Set(
      rows.card.flatMap(({ work }) => (work?.claimed && work.ttl !== 0 ? [work.leaseId ?? work.id] : [])),
    ),
    pastRequests: rows.request.map((row) => {
      const record = ago(row);
      return { ...record, grant: record.grant && ago(record.grant) };
    }),
  };
}

function boardRecords(
  rows: { readonly board: readonly BoardRecord[]; readonly card: readonly CardRecord[] },
  epoch: number,
): BoardRecords {
  const ago = <R extends object>(record: R) => shifted(record, -epoch);
  return {
    boards: rows.board.map((row) => {
      const record = ago(row);
      return {
        ...record,
        config: wholeBoard(record.config),
        declaration: record.declaration && wholeBoard(record.declaration),
      };
    }),
    cards: rows.card.map((row) => {
      const record = ago(row);
      return { ...record, work: record.work && ago(record.work), lastWork: record.lastWork && ago(record.lastWork) };
    }),
  };
}

/** Returns the keys of all rows that are as safe as leases are. */
export function keysOfLeases({ leases, waiters, pastRequests, buckets }: Records): string[] {
  const keys = [
    ...leases.map(({ id }) => `lease:${id}`),
    ...waiters.map(({ id }) => `waiter:${id}`),
    ...pastRequests.map(requestKey),
  ];
  for (const { limiter, key } of buckets) keys.push(`bucket:${nameOf(limiter, key)}`);
  return keys;
}

/**
 * The last durable sign that the server ran, in running time: its last mark, or what was kept since of a bucket or of a
 * limiter that was made or whose rate was changed.
 */
function ranUntil(limiters: readonly LimiterRecord[], buckets: BucketTable, own: ReadonlyMap<string, string>): number {
  let latest = Math.max(buckets.latest, Number(own.get(RUNNING_TIME) ?? 0));
  for (const { bornAt = 0, earlierRates = [] } of limiters) {
    latest = Math.max(latest, bornAt, earlierRates.at(-1)?.until ?? 0);
  }
  return latest;
}

/** Returns cards, as `board/card`, that name a board or a stage which is not among the boards. */
export function cardsNowhere({ boards, cards }: BoardRecords): string[] {
  const places = new Set(boards.flatMap(({ config }) => config.stages.map((stage) => nameOf(config.name, stage.name))));
  return cards.filter(({ board, stage }) => !places.has(nameOf(board, stage))).map(({ board, id }) => `${board}/${id}`);
}

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

function shifted<R extends object>(record: R, by: number): R {
  const moved = { ...record } as Record<string, unknown>;
  for (const field of INSTANTS) if (typeof moved[field] === "number") moved[field] = (moved[field] as number) + by;
  return moved as R;
}

/**
 * JSON leaves out what is undefined, and a field that is missing is not equal to one that is not set; a record from before a
 * field was there has its default.
 */
function whole(config: LimiterConfig): LimiterConfig {
  const { rate } = config;
  return { ...LIMITER_DEFAULTS, ...config, rate: rate && rateOfNow(rate) };
}

function wholeBoard(config: BoardConfig): BoardConfig {
  const { keepCompletedFor, stages } = config;
  return { ...config, keepCompletedFor, stages: stages.map(({ wipLimit, ...stage }) => ({ ...stage, wipLimit })) };
}

/** Returns what a new folder holds: nothing. */
export const NOTHING_FOUND: Found = fromRows([], 0, 0);
