/**
 * Says when no file descriptors are left. libuv then accepts each connection and closes it at once, without an error, so
 * that neither Node nor its servers hear of it; opening a file is what tells.
 */

import { close, open, readFileSync } from "node:fs";
import type { Clock } from "../../clock.ts";
import type { Log } from "../../log.ts";

/** µs between two looks, and between two warnings. */
const LOOK = 1_000_000;
const QUIET_TIME = 60_000_000;

const ADVICE =
  "no file descriptors are left: new connections are closed at once, those that are open go on. Raise the limit of open " +
  "files (ulimit -n, LimitNOFILE of systemd) above twice limits.max_connections, or lower limits.max_connections";

/** Starts looking; returns a function that stops it. */
export function watchDescriptors(options: {
  readonly clock: Clock;
  readonly log: Log;
  readonly maxConnections: number;
  /** Calls back with the error of opening a file; tests bring their own. */
  readonly probe?: (onOpened: (error: NodeJS.ErrnoException | null) => void) => void;
}): () => void {
  const { clock, log, maxConnections, probe = openAndClose } = options;
  const openFiles = softLimit();
  let stopped = false;
  let exhausted = false;
  let quietUntil = Number.NEGATIVE_INFINITY;
  let cancel = () => {};

  const wait = () => {
    cancel = clock.schedule(clock.now() + LOOK, false, () => probe(onOpened));
  };
  const onOpened = (error: NodeJS.ErrnoException | null) => {
    if (stopped) return;
    const isExhausted = error?.code === "EMFILE" || error?.code === "ENFILE";
    if (isExhausted && clock.now() >= quietUntil) {
      quietUntil = clock.now() + QUIET_TIME;
      log.warn({ event: "descriptors-exhausted", code: error.code, openFiles, maxConnections }, ADVICE);
    } else if (exhausted && !isExhausted) {
      log.info({ event: "descriptors-free" }, "file descriptors are free again; connections are accepted");
    }
    exhausted = isExhausted;
    wait();
  };

  wait();
  return () => {
    stopped = true;
    cancel();
  };
}

function openAndClose(onOpened: (error: NodeJS.ErrnoException | null) => void): void {
  open("/", (error, descriptor) => {
    if (error) onOpened(error);
    else close(descriptor, onOpened);
  });
}

/** Returns the limit of open files where the kernel says it. Read at the start: later there may be no descriptor for it. */
function softLimit(): number | undefined {
  try {
    const [, limit] = /^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8")) ?? [];
    return limit === undefined ? undefined : Number(limit);
  } catch {
    return undefined;
  }
}
