/** Notices readers that do not drain: their connection answers pings, and yet what was said to them never leaves. */

import type { Clock } from "../../clock.ts";
import type { Liveness } from "../port/options.ts";

export interface ReaderGuard {
  /** `onStuck` is called once, when what is owed to this reader has not left in time. */
  watch(onStuck: () => void): WatchedReader;
  close(): void;
}

export interface WatchedReader {
  /** So many bytes wait to leave, and their time begins now; 0: all have left. */
  owe(bytes: number): void;
  /** It is over; nothing is owed any more. */
  stop(): void;
}

/** µs for each byte on top, or a large message could never go over a line of 1 KB/s. */
const SLOWEST = 1_000;

/**
 * A reader has as long as a silent connection has, keepalive and its timeout: HTTP/2 lets a client answer pings while it
 * opens no window for its streams, and without this its leases would live as long as it likes.
 */
export function createReaderGuard(clock: Clock, { keepaliveTime, keepaliveTimeout }: Liveness): ReaderGuard {
  const patience = keepaliveTime + keepaliveTimeout;
  const lookAgain = patience / 10;
  const owed = new Set<Reader>();
  let armedFor = Number.POSITIVE_INFINITY;
  let disarm = () => {};

  const arm = (at: number) => {
    disarm();
    armedFor = at;
    disarm = clock.schedule(at, false, look);
  };
  const look = () => {
    armedFor = Number.POSITIVE_INFINITY;
    const now = clock.now();
    let first = Number.POSITIVE_INFINITY;
    for (const reader of owed) {
      if (reader.deadline > now) {
        first = Math.min(first, reader.deadline);
        continue;
      }
      reader.stop();
      reader.onStuck();
    }
    // Thousands may be due one after another; they are looked through ten times in a patience, not thousands of times.
    if (first !== Number.POSITIVE_INFINITY) arm(Math.max(first, now + lookAgain));
  };

  /** A class, since each stream has one. */
  class Reader implements WatchedReader {
    readonly onStuck: () => void;
    deadline = 0;
    #stopped = false;

    constructor(onStuck: () => void) {
      this.onStuck = onStuck;
    }

    owe(bytes: number): void {
      if (bytes === 0 || this.#stopped) {
        owed.delete(this);
        return;
      }
      this.deadline = clock.now() + patience + bytes * SLOWEST;
      owed.add(this);
      if (this.deadline < armedFor - lookAgain) arm(this.deadline);
    }

    stop(): void {
      this.#stopped = true;
      owed.delete(this);
    }
  }

  return {
    watch: (onStuck) => new Reader(onStuck),
    close() {
      owed.clear();
      disarm();
    },
  };
}
