/** Many worlds, on every core. */

import { type ChildProcess, fork } from "node:child_process";
import { on, once } from "node:events";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import type { Deal, Dealt } from "./worlds-process.ts";

const SCRIPT = fileURLToPath(new URL("worlds-process.ts", import.meta.url));

/** One world for each seed from `seed` on, in whatever order they come to their end. */
export async function* simulateMany(options: {
  readonly seed: number;
  readonly worlds: number;
  readonly steps: number;
}): AsyncGenerator<Dealt> {
  const { seed, worlds, steps } = options;
  const children = Array.from({ length: availableParallelism() }, () => fork(SCRIPT, { execArgv: [] }));
  const exits = children.map((child) => once(child, "exit"));
  const dealt = new EventTarget();
  let next = 0;
  let done = 0;

  function deal(child: ChildProcess): void {
    if (next === worlds) return;
    child.send({ seed: seed + next, steps } satisfies Deal);
    next += 1;
  }
  for (const child of children) {
    child.on("message", (world: Dealt) => {
      deal(child);
      dealt.dispatchEvent(new CustomEvent("world", { detail: world }));
    });
    child.on("exit", (code) => dealt.dispatchEvent(new CustomEvent("world", { detail: code })));
  }
  try {
    const heard = on(dealt, "world");
    for (const child of children) deal(child);
    for await (const [event] of heard) {
      const { detail } = event as CustomEvent<Dealt | number>;
      if (typeof detail === "number") throw new Error(`a process of worlds ended with ${detail}`);
      yield detail;
      done += 1;
      if (done === worlds) return;
    }
  } finally {
    for (const child of children) child.kill("SIGKILL");
    await Promise.all(exits);
  }
}
