/** A disk in virtual time: commits take a while, and a crash loses those that are under way, from some point on. */

import type { Clock } from "../../../../src/server/clock.ts";
import type { Found } from "../../../../src/server/store/records/found.ts";
import { fromRows } from "../../../../src/server/store/records/found.ts";
import { toKept } from "../../../../src/server/store/records/to-kept.ts";
import type { RowChange } from "../../../../src/server/store/row.ts";
import { createRunningTime } from "../../../../src/server/store/running-time.ts";
import type { Store } from "../../../../src/server/store/store.ts";
import type { Dice } from "../../../server/machine/dice.ts";
import type { Timeline } from "./timeline.ts";

export interface Disk {
  /** The store of one process; what it is given after the crash of that is lost. */
  open(epoch: number, clock: Clock): Store;
  crash(): void;
}

interface Commit {
  readonly rows: readonly RowChange[];
  readonly resolve: () => void;
  readonly callOff: () => void;
}

/** µs that a commit takes at most; and that one in twenty does, since disks are slow now and then. */
const USUAL = 5_000;
const SLOWEST = 200_000;

/** `forgetful`: as a control, it is slow and says that a commit is kept before it is. */
export function createDisk(timeline: Timeline, dice: Dice, { forgetful }: { readonly forgetful: boolean }): Disk {
  const kept = new Map<string, string>();
  let underWay: Commit[] = [];
  let lastDone = 0;

  function apply(rows: readonly RowChange[]): void {
    for (const { key, body } of rows) {
      if (body === undefined) kept.delete(key);
      else kept.set(key, body);
    }
  }

  function keep(rows: readonly RowChange[]): Promise<void> {
    return new Promise((resolve) => {
      // In order: none is done before the one before it.
      const done = Math.max(lastDone, timeline.now + dice.roll(forgetful || dice.chance(5) ? SLOWEST : USUAL));
      lastDone = done;
      const callOff = timeline.after(done - timeline.now, () => {
        underWay.shift();
        apply(rows);
        resolve();
      });
      underWay.push({ rows, resolve, callOff });
      if (forgetful) resolve();
    });
  }

  return {
    open(epoch, clock) {
      const found: Found = fromRows(
        [...kept].map(([key, body]) => ({ key, body })),
        epoch,
        clock.now(),
      );
      const zero = { epoch, ranBefore: found.ranBefore };
      const running = createRunningTime({ clock, ranBefore: found.ranBefore, write: (mark) => void keep([mark]) });
      for (const { tokens, parts, at = 0, rate } of found.limiters.buckets) {
        const [gain, unit, capacity] = rate;
        running.note({ tokens, parts, at }, { gain, unit, capacity });
      }
      return {
        found,
        forgetFound: () => {},
        incompleteFor: 0,
        secretKey: undefined,
        reserved: 0,
        reserve: () => Promise.resolve(),
        keep(changes) {
          const all = changes.flatMap((change) => toKept(change, zero) ?? []);
          for (const change of changes) {
            const rate = change.kind === "tokens-spent" ? change.instance.limiter.config.rate : undefined;
            if (change.kind === "tokens-spent" && rate !== undefined) running.note(change.instance.bucket, rate);
          }
          const done = keep(all.map(({ row }) => row));
          return all.some(({ awaited }) => awaited) ? done : undefined;
        },
        figures: () => Promise.resolve(undefined),
        onHealth: () => {},
        close: () => Promise.resolve(),
      };
    },
    crash() {
      // Some had come to the disk, though they were not confirmed; the rest had not.
      const survived = dice.roll(underWay.length + 1);
      for (const [index, commit] of underWay.entries()) {
        commit.callOff();
        if (index < survived) apply(commit.rows);
      }
      underWay = [];
      lastDone = timeline.now;
    },
  };
}
