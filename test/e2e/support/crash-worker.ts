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

const channel = new BroadcastChannel("crash of a worker");
channel.unref();

if (isMainThread) {
  process.on("message", (crash: Crash) => channel.postMessage(crash));
} else {
  channel.onmessage = (event) => {
    const { index, how } = (event as { readonly data: Crash }).data;
    if (workerData?.index !== index) return;
    setImmediate(() => {
      if (how === "throws") throw new Error("a bug in a worker");
      const memory: unknown[] = [];
      for (;;) if (how === "fills its memory") memory.push(new Array(1_000_000).fill(memory.length / 2));
    });
  };
}
