/** Tells a thread that its heap is nearly full, while it can still end in order. */

import { constants, PerformanceObserver } from "node:perf_hooks";
import { getHeapStatistics } from "node:v8";

/** Of the heap's limit, in use after a full collection: what is left lets the thread end its connections. */
const NEARLY_FULL = 0.8;
const MB = 1024 * 1024;

/**
 * Calls back once, a turn after the collection that found it so. V8 ends a thread that is out of memory wherever it is, and one that
 * reads HTTP/2 connections then ends the whole process (see `WorkerThread.end`); a leak comes by here first. What fills
 * the heap within one turn does not.
 */
export function watchHeap(onNearlyFull: (why: Error) => void): void {
  const observer = new PerformanceObserver((collections) => {
    if (!collections.getEntries().some(isFull)) return;
    const { used_heap_size: used, heap_size_limit: limit } = getHeapStatistics();
    if (used < NEARLY_FULL * limit) return;
    observer.disconnect();
    const [usedMb, limitMb] = [used, limit].map((bytes) => Math.round(bytes / MB));
    onNearlyFull(new Error(`${usedMb} of ${limitMb} MB of its heap are in use after a collection`));
  });
  observer.observe({ entryTypes: ["gc"] });
}

function isFull(collection: PerformanceEntry): boolean {
  // `detail` is not in the types of Node's entries.
  const { detail } = collection as { readonly detail?: { readonly kind?: number } };
  return detail?.kind === constants.NODE_PERFORMANCE_GC_MAJOR;
}
