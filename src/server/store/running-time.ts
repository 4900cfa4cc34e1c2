/**
 * Running time: the µs for which the server has run, over all its starts on one data folder.
 *
 * A bucket is kept as of an instant in running time, so a later start adds exactly what came in while the server ran, in
 * however many runs, and nothing for the time between them. A start knows how long the server had run by its last durable
 * sign: the latest bucket that was kept, or the mark that is written here. Marks are written while some bucket fills, and
 * with an orderly end. They lag by a twentieth of the time of a token, at least 250 ms and at most a minute, so that much
 * of what a bucket had gained may be lost when the process is killed. A server whose buckets are full writes none.
 */

import type { Clock } from "../clock.ts";
import type { Rate } from "../machine/limiter/rate.ts";
import { type Bucket, microsUntilFull } from "../machine/limiter/token-bucket.ts";
import { ownRow, RUNNING_TIME } from "./records/keys.ts";
import type { RowChange } from "./row.ts";

export interface RunningTime {
  /** Writes marks until the bucket is full. */
  note(bucket: Bucket, rate: Pick<Rate, "gain" | "unit" | "capacity">): void;
  /** Writes marks until this instant, when a bucket will be full. */
  noteFull(fullAt: number, rate: Pick<Rate, "gain" | "unit">): void;
  /** Returns the row that says for how long the server has run. */
  mark(): RowChange;
  /** Writes no more marks. */
  close(): void;
}

export interface RunningTimeOptions {
  readonly clock: Pick<Clock, "now" | "schedule">;
  /** µs for which the server had run at the machines' zero. */
  readonly ranBefore: number;
  readonly write: (mark: RowChange) => void;
}

/** µs between marks: doubled from the first to the last, for rates that take as much longer for a token. */
const SHORTEST = 250_000;
const DOUBLINGS = 8;
/** Marks in the time of a token. */
const MARKS_A_TOKEN = 20;

export function createRunningTime({ clock, ranBefore, write }: RunningTimeOptions): RunningTime {
  /** For each interval between marks: until when a bucket fills that needs it. */
  const fillsUntil = new Array<number>(DOUBLINGS + 1).fill(Number.NEGATIVE_INFINITY);
  let markedAt = Number.NEGATIVE_INFINITY;
  let due = Number.POSITIVE_INFINITY;
  let cancel = () => {};

  const mark = () => {
    markedAt = clock.now();
    return ownRow(RUNNING_TIME, String(ranBefore + markedAt));
  };

  function plan(now: number): void {
    const shortest = fillsUntil.findIndex((until) => until > markedAt);
    const next = shortest === -1 ? Number.POSITIVE_INFINITY : now + SHORTEST * 2 ** shortest;
    if (next >= due) return;
    cancel();
    due = next;
    cancel = clock.schedule(due, false, () => {
      due = Number.POSITIVE_INFINITY;
      write(mark());
      plan(markedAt);
    });
  }

  function noteFull(fullAt: number, rate: Pick<Rate, "gain" | "unit">): void {
    const interval = intervalOf(rate);
    const until = fillsUntil[interval] as number;
    if (fullAt <= until) return;
    fillsUntil[interval] = fullAt;
    // The mark that is planned for this interval comes in time.
    if (until <= markedAt || due === Number.POSITIVE_INFINITY) plan(clock.now());
  }

  return {
    note: (bucket, rate) => noteFull(bucket.at + microsUntilFull(bucket, rate), rate),
    noteFull,
    mark,
    close: () => cancel(),
  };
}

function intervalOf({ gain, unit }: Pick<Rate, "gain" | "unit">): number {
  const wanted = unit / gain / MARKS_A_TOKEN;
  return wanted < SHORTEST * 2 ? 0 : Math.min(DOUBLINGS, Math.floor(Math.log2(wanted / SHORTEST)));
}
