/** What holds a queue back, in one or two words. */

import type { Limiter } from "../../client/api/limiter.ts";
import type { Trouble } from "./trouble.ts";

/** Empty: nothing waits. */
export function heldBackBy({ name, paused, status }: Limiter, trouble: Trouble): string {
  const { obstacles, waiters } = status;
  if (waiters === 0) return "";
  if (paused) return "paused";
  const elsewhere = obstacles.find(({ limiter }) => limiter !== name);
  const here = obstacles.find(({ limiter, reason }) => limiter === name && reason !== "WAITERS_AHEAD");
  switch (here?.reason) {
    case "PAUSED":
      return "paused";
    case "LEARNING":
      return "learning";
    case "RATE_EXHAUSTED":
      return "rate";
    case "CONCURRENCY_EXHAUSTED":
      return trouble === "stuck" ? "no holder releases" : "concurrency";
    default:
      return elsewhere === undefined ? "" : `limiter ${elsewhere.limiter}`;
  }
}
