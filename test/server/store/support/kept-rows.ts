/** What a store would have of machines' changes: rows by their keys, through JSON as in a real one. */

import type { BoardChange } from "../../../../src/server/machine/board/command.ts";
import type { Change } from "../../../../src/server/machine/limiter/command.ts";
import { type Found, fromRows } from "../../../../src/server/store/records/found.ts";
import { ownRow, RUNNING_TIME } from "../../../../src/server/store/records/keys.ts";
import { toKept, type Zero } from "../../../../src/server/store/records/to-kept.ts";

export interface KeptRows {
  keep(changes: readonly (Change | BoardChange)[], zero: Zero): void;
  /** `epoch`: µs since 1970 at the machine's zero, `now`: µs from there. */
  find(epoch: number, now?: number): Found;
  /** The server has run until an instant of running time. */
  mark(ran: number): void;
  /** As a damaged store may have them: of any key nothing, or what it once was. `roll`: below its argument. */
  findDamaged(epoch: number, now: number, roll: (sides: number) => number): Found;
  /** Of one kind, what comes after it in their keys. */
  names(kind: string): string[];
}

export function createKeptRows(): KeptRows {
  const rows = new Map<string, string>();
  const versions = new Map<string, (string | undefined)[]>();
  return {
    keep(changes, zero) {
      // What a step says of a row last is all that a store ever has of it: it is one transaction.
      const last = new Map<string, string | undefined>();
      for (const change of changes) {
        const row = toKept(change, zero)?.row;
        if (row !== undefined) last.set(row.key, row.body);
      }
      for (const [key, body] of last) {
        if (body === undefined) rows.delete(key);
        else rows.set(key, body);
        const past = versions.get(key) ?? [];
        past.push(body);
        versions.set(key, past);
      }
    },
    mark(ran) {
      const { key, body } = ownRow(RUNNING_TIME, String(ran));
      rows.set(key, body ?? "");
    },
    find: (epoch, now = 0) =>
      fromRows(
        Array.from(rows, ([key, body]) => ({ key, body })),
        epoch,
        now,
      ),
    findDamaged(epoch, now, roll) {
      const found = [...versions].flatMap(([key, past]) => {
        const sort = roll(10);
        const body = sort < 2 ? undefined : sort < 5 ? past[roll(past.length)] : past.at(-1);
        return body === undefined ? [] : [{ key, body }];
      });
      // From here on these are all that there ever were.
      rows.clear();
      versions.clear();
      for (const { key, body } of found) {
        rows.set(key, body);
        versions.set(key, [body]);
      }
      return fromRows(found, epoch, now);
    },
    names: (kind) =>
      [...rows.keys()].filter((key) => key.startsWith(`${kind}:`)).map((key) => key.slice(kind.length + 1)),
  };
}
