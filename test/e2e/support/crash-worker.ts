/**
 * Loaded into a server's process (`node --import`), and so into each of its threads: a transport worker fails in the way that its parent asks
 * for.
 */

import { BroadcastChannel, isMainThread, workerData } from "node:worker_threads";

export interface Crash {
  /** Of the worker, from 0. */
  readonly index: number;
  readonly how: "throws" | "fills its memory" | "hangs";
}

const memory: unknown[] = [];
const FAILURES: Readonly<Record<Crash["how"], () => void>> = {
  throws() {
    throw new Error("a bug in a worker");
  },
  /** As a leak does: some of it each turn. */
  "fills its memory": function fill() {
    memory.push(new Array(50_000).fill(memory.length / 2));
    setImmediate(fill);
  },
  hangs() {
    for (;;);
  },
};
const channel = new BroadcastChannel("crash of a worker");
channel.unref();

if (isMainThread) {
  process.on("message", (crash: Crash) => channel.postMessage(crash));
} else {
  channel.onmessage = (event) => {
    const { index, how } = (event as { readonly data: Crash }).data;
    if (workerData?.index !== index) return;
    setImmediate(FAILURES[how]);
  };
}
