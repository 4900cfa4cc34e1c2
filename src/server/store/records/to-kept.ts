/** The machines' changes as rows: records in JSON, under a key. */

import type { BoardChange } from "../../machine/board/command.ts";
import { boardRecord, cardRecord } from "../../machine/board/record.ts";
import type { Change } from "../../machine/limiter/command.ts";
import {
  bucketRecord,
  leaseRecord,
  limiterRecord,
  pastRequestRecord,
  waiterRecord,
} from "../../machine/limiter/record.ts";
import type { RowChange } from "../row.ts";
import { nameOf, requestKey } from "./keys.ts";

/** The machines' zero, in the times of the records. */
export interface Zero {
  /** µs since 1970. */
  readonly epoch: number;
  /** µs for which the server had run: running time. */
  readonly ranBefore: number;
}

/** A change as the store keeps it. */
export interface Kept {
  readonly row: RowChange;
  /** `lease`: as durable as the configuration says, with all that belongs to leases; `configuration`: on disk. */
  readonly of: "lease" | "configuration";
  /**
   * Whether its answer waits until it is kept. One that only gives back need not: lost, it is held for a ttl longer.
   */
  readonly awaited: boolean;
}

/** Returns the row of a change. Undefined: nothing is kept, since its client cannot come back to it. */
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
      const { past } = change;
      const row = { key: requestKey(change), body: JSON.stringify(pastRequestRecord(change, past, epoch)) };
      return { row, of: "lease", awaited: past.kind === "spent" };
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

function put(of: Kept["of"], kind: string, name: string, record: object): Kept {
  return { row: { key: `${kind}:${name}`, body: JSON.stringify(record) }, of, awaited: true };
}

function gone(of: Kept["of"], kind: string, name: string): Kept {
  return { row: { key: `${kind}:${name}`, body: undefined }, of, awaited: false };
}
