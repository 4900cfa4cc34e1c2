/**
 * A holder in a process that will be stopped: `node pauses-process.ts host:port limiter naive|careful`. Both have themselves
 * counted in and out of their work, and write again and again meanwhile; a careful one looks at its lease before each write,
 * a naive one never does. The parent acknowledges everything, and ends it by disconnecting.
 */

import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { AdmissionError, connect, type Lease, ServerUnavailableError } from "../../../src/client/index.ts";

export type PausesNews =
  | { readonly kind: "enter" | "leave" }
  /** `valid`: whether its lease is good, by its own clock. */
  | { readonly kind: "write"; readonly slot: number; readonly fencingToken: string; readonly valid: boolean }
  /** Something else than a grant came of an acquire. */
  | { readonly kind: "failed"; readonly error: string };

const [address = "", limiter = "", manners = ""] = process.argv.slice(2);
const isCareful = manners === "careful";
/** ms */
const WORK = 400;
const BETWEEN_WRITES = 10;
process.on("disconnect", () => process.exit());

async function tell(news: PausesNews): Promise<void> {
  const acknowledged = once(process, "message");
  process.send?.(news);
  await acknowledged;
}

async function work(lease: Lease): Promise<void> {
  const [claim] = lease.claims;
  const about = { slot: claim?.slots[0] ?? -1, fencingToken: String(claim?.fencingToken) };
  await tell({ kind: "enter" });
  for (let done = 0; done < WORK && !(isCareful && lease.signal.aborted); done += BETWEEN_WRITES) {
    await tell({ kind: "write", ...about, valid: lease.valid });
    await sleep(BETWEEN_WRITES);
  }
  await tell({ kind: "leave" });
}

/** No server could be reached, or the grant was heard of when its lease had ended. */
function isOfThePause(error: unknown): boolean {
  if (error instanceof ServerUnavailableError) return true;
  return error instanceof AdmissionError && error.reason === "LEASE_EXPIRED";
}

await using client = connect(address, { answerWithin: 30_000, holder: `${manners} ${process.pid}` });
for (;;) {
  try {
    await using lease = await client.acquire(limiter, { slots: true });
    await work(lease);
  } catch (error) {
    if (!isOfThePause(error)) await tell({ kind: "failed", error: String(error) });
  }
}
