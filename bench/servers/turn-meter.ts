/**
 * Loaded into a server that is measured (`node --import`): how long its event loop was away, at most. A timer of 1 ms notes how
 * much later than the last time it is called, and how much CPU the thread has used meanwhile: that is what one turn has
 * worked, or several short ones, collections of garbage included; other processes that took the core count in the first
 * figure alone.
 */

import { isMainThread } from "node:worker_threads";

export interface Turns {
  /** ms, the longest first: what the clock says. */
  readonly longest: readonly number[];
  /** ms, the longest first: what the thread has worked. */
  readonly busiest: readonly number[];
  /** ms, the longest first: how long collections of garbage held the thread up, by the clock. */
  readonly collections: readonly number[];
}

/** Asked for by the word `turns`; begins anew with each answer. */
const KEPT = 5;
const longest: number[] = [];
const busiest: number[] = [];
const collections: number[] = [];

function note(list: number[], value: number): void {
  if (list.length === KEPT && value <= (list[KEPT - 1] as number)) return;
  list.push(value);
  list.sort((a, b) => b - a);
  list.length = Math.min(list.length, KEPT);
}

const worked = () => {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
};

/** In the threads that it starts this module is loaded, too: they decide nothing. */
function meter(): void {
  let last = performance.now();
  let lastWorked = worked();
  setInterval(() => {
    const now = performance.now();
    const nowWorked = worked();
    note(longest, now - last);
    note(busiest, nowWorked - lastWorked);
    last = now;
    lastWorked = nowWorked;
  }, 1).unref();

  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) note(collections, duration);
  }).observe({ entryTypes: ["gc"] });

  process.on("message", (question) => {
    if (question !== "turns") return;
    const turns: Turns = { longest: [...longest], busiest: [...busiest], collections: [...collections] };
    for (const list of [longest, busiest, collections]) list.length = 0;
    process.send?.(turns);
  });
}

if (isMainThread) meter();
