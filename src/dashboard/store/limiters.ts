/** All limiters as the watch tells of them. */

import { type ReadonlySignal, signal } from "@preact/signals";
import type { Limiter } from "../../client/api/limiter.ts";
import { limiterFromWire } from "../../client/wire/limiter.ts";
import { failureText, isUnauthenticated } from "../api/failure.ts";
import type { Rpc } from "../api/rpc.ts";
import type { Account } from "./account.ts";
import type { Connection } from "./connection.ts";
import { keepOpen, type OpenWatch } from "./keep-open.ts";

/** A limiter, and when the page heard of it (ms since 1970): its spans have grown since. */
export interface Heard {
  readonly limiter: Limiter;
  readonly at: number;
}

export interface Limiters {
  readonly byName: ReadonlyMap<string, Heard>;
  /** Rises when something has changed, a few times a second at most, however much changes. */
  readonly version: ReadonlySignal<number>;
  /** Whether all that there are have come. */
  readonly isWhole: ReadonlySignal<boolean>;
  /** Opens the stream anew: it may be dead without a word. */
  reopen(): void;
}

/** ms between two looks of the page at what has changed. */
const PACE = 250;

export interface LimitersOptions {
  readonly rpc: Pick<Rpc, "limiters">;
  readonly connection: Pick<Connection, "heard" | "lost">;
  readonly account: Pick<Account, "review">;
}

export function createLimiters({ rpc, connection, account }: LimitersOptions): Limiters {
  const byName = new Map<string, Heard>();
  const version = signal(0);
  const isWhole = signal(false);
  let showing: ReturnType<typeof setTimeout> | undefined;

  function changed(): void {
    showing ??= setTimeout(show, PACE);
  }

  function show(): void {
    clearTimeout(showing);
    showing = undefined;
    version.value += 1;
  }

  async function read(signal: AbortSignal, heard: () => void): Promise<void> {
    /** Those of the snapshot, until it is whole: the others are gone. */
    let found: Set<string> | undefined = new Set();
    for await (const { event, more = false } of rpc.limiters.watchLimiters({}, { signal })) {
      heard();
      connection.heard();
      const at = Date.now();
      const put = (limiter: Limiter) => {
        byName.set(limiter.name, { limiter, at });
        found?.add(limiter.name);
      };
      if (event.case === "snapshot") for (const wire of event.value.limiters) put(limiterFromWire(wire));
      else if (event.case === "changed") put(limiterFromWire(event.value));
      else if (event.case === "removed") byName.delete(event.value);
      if (found !== undefined && !more) {
        for (const name of byName.keys()) if (!found.has(name)) byName.delete(name);
        found = undefined;
        isWhole.value = true;
        show();
      }
      changed();
    }
  }

  function onLost(error: unknown): void {
    if (isUnauthenticated(error)) account.review();
    connection.lost(failureText(error));
  }

  const watch: OpenWatch = keepOpen({ read, onLost });
  return { byName, version, isWhole, reopen: watch.reopen };
}
