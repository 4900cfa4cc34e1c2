/**
 * Keeps the native half of HTTP/2 sessions that ended with an error until the garbage collector has been there.
 *
 * Node (20 and 24 were tried) aborts with "Assertion failed: (current_nghttp2_memory_) == (0)" when the collector takes
 * a session before one of its streams whose headers were invalid. Four frames of any client that can connect bring that
 * about: a call, a call without a path, its reset, a fault that ends the connection; some hundred such connections, and
 * the process is gone. If the session outlives a whole collection, its streams, which nothing holds, are gone first.
 */

import { executionAsyncResource } from "node:async_hooks";
import type { Http2Session } from "node:http2";
import { constants, PerformanceObserver } from "node:perf_hooks";

export interface SessionKeeper {
  watch(session: Http2Session): void;
}

interface GcEntry extends PerformanceEntry {
  readonly detail?: { readonly kind?: number };
}

/** Sessions kept at most, at about 26 KB each; beyond, the oldest go first. */
const MAX_KEPT = 10_000;

export function createSessionKeeper(): SessionKeeper {
  // By how many collections they have seen the end of. The first may have begun before they were kept, and that of the
  // second before it was known that the first had ended; the third is whole.
  let newest = new Set<object>();
  let older = new Set<object>();
  let oldest = new Set<object>();

  const observer = new PerformanceObserver((list) => {
    for (const { detail } of list.getEntries() as readonly GcEntry[]) {
      if (detail?.kind !== constants.NODE_PERFORMANCE_GC_MAJOR) continue;
      oldest = older;
      older = newest;
      newest = new Set();
    }
    if (newest.size + older.size + oldest.size === 0) observer.disconnect();
  });

  const keep = (native: object) => {
    observer.observe({ entryTypes: ["gc"] });
    newest.add(native);
    if (newest.size + older.size + oldest.size <= MAX_KEPT) return;
    for (const generation of [oldest, older, newest]) {
      const [first] = generation;
      if (first === undefined) continue;
      generation.delete(first);
      return;
    }
  };

  return {
    watch(session) {
      // Called from the native half, so that is the resource of this moment. A client begins with its settings.
      session.once("remoteSettings", () => {
        const native = executionAsyncResource();
        const onError = () => keep(native);
        session.once("error", onError);
        // A listener that outlives the session leaks it: the native half holds the callback of settings that the client
        // never acknowledged, the callback holds the session, and the listener would hold the native half.
        session.once("close", () => session.removeListener("error", onError));
      });
    },
  };
}
