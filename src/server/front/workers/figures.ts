/** What all threads of a front have counted, together: those that have ended, too. */

import type { IssuerKeys } from "../../auth/issuer-keys.ts";
import { Histogram, type HistogramCounts } from "../../machine/structures/histogram.ts";
import type { CallFigures, EndedCalls } from "../../transport/rpc/call-times.ts";
import type { ThreadFigures } from "../thread-meter.ts";

/** What one thread answers. */
export interface WorkerFigures {
  readonly calls: CallFigures;
  readonly keys: readonly IssuerKeys[];
  readonly thread: ThreadFigures;
}

export interface CallSum {
  add(calls: CallFigures): void;
  /** What has ended stays counted for ever; streams end with their thread. */
  addEnded(calls: CallFigures): void;
  read(): CallFigures;
}

export function createCallSum(): CallSum {
  const ended = new Map<string, Omit<EndedCalls, "times"> & { readonly times: Histogram }>();
  const streams = new Map<string, number>();

  function addEnded(calls: CallFigures): void {
    for (const { system, method, code, times } of calls.ended) {
      const key = `${system} ${method} ${code}`;
      const known = ended.get(key) ?? { system, method, code, times: emptyLike(times) };
      ended.set(key, known);
      known.times.add(times);
    }
  }

  return {
    addEnded,
    add(calls) {
      addEnded(calls);
      for (const [method, underWay] of calls.streams) streams.set(method, (streams.get(method) ?? 0) + underWay);
    },
    read: () => ({ ended: [...ended.values()], streams: [...streams] }),
  };
}

function emptyLike({ bounds }: HistogramCounts): Histogram {
  return new Histogram(bounds);
}
