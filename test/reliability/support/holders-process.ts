/**
 * Holders in a process of their own, with the client of this package: each acquires a permit, has the counter in the parent
 * process count it in, works, has it counted out, and releases, again and again, until the parent says that it is enough.
 */

import "../../support/end-with-parent.ts";
import { setTimeout as sleep } from "node:timers/promises";
import { AdmissionError, type Client, connect, type Lease, ServerUnavailableError } from "../../../src/client/index.ts";
import type { Carrier } from "../../support/carrier.ts";
import { connectTampered, forgetSession } from "./cuts/clients.ts";

/** What carries its calls, or what it lacks. */
export type HolderClient = Carrier | "forgets its session";

export type HolderNews =
  | { readonly kind: "enter"; readonly id: string; readonly leaseId: string; readonly fencingToken: string }
  /** `lost`: why the lease was lost while it was held; empty: it was not. */
  | { readonly kind: "leave"; readonly id: string; readonly lost: string }
  /** Something else than a grant came of an acquire. */
  | { readonly kind: "failed"; readonly id: string; readonly error: string };

const [address = "", limiter = "", holders = "", kind = "", longestWork = ""] = process.argv.slice(2);

/** ms that the work takes: mostly a little; now and then it outlasts a restart of the server. */
const workTime = () =>
  Math.random() < 0.2 ? 1_000 + Math.random() * (Number(longestWork) - 1_000) : Math.random() * 20;

const answers = new Map<string, () => void>();
let enough = false;

process.on("message", (message: { readonly counted: string } | "enough") => {
  if (message === "enough") enough = true;
  else answers.get(message.counted)?.();
});

function tell(news: HolderNews): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  answers.set(news.id, () => {
    answers.delete(news.id);
    resolve();
  });
  process.send?.(news);
  return promise;
}

async function holdOnce(id: string, lease: Lease): Promise<void> {
  const { signal, claims } = lease;
  await tell({ kind: "enter", id, leaseId: lease.id, fencingToken: String(claims[0]?.fencingToken) });
  await sleep(workTime(), undefined, { signal }).catch(() => {});
  await tell({ kind: "leave", id, lost: signal.aborted ? String(signal.reason) : "" });
}

function connectAs(holder: string): Client {
  if (kind === ("forgets its session" satisfies HolderClient)) return connectTampered(forgetSession)(address);
  return connect(address, { answerWithin: 30_000, holder, sessions: kind === ("sessions" satisfies HolderClient) });
}

/** Returns whether the last attempt found a server that was about to stop. */
function isDraining(error: unknown): boolean {
  return error instanceof AdmissionError && error.reason === "DRAINING";
}

async function hold(holder: number): Promise<void> {
  await using client = connectAs(`holder ${process.pid}.${holder}`);
  for (let round = 0; !enough; round += 1) {
    const id = `${holder}.${round}`;
    try {
      await using lease = await client.acquire(limiter);
      await holdOnce(id, lease);
    } catch (error) {
      // No server was found in as many attempts as a client makes, and nothing is held: it is asked again.
      if (error instanceof ServerUnavailableError || isDraining(error)) continue;
      await tell({ kind: "failed", id, error: String(error) });
    }
  }
}

await Promise.all(Array.from({ length: Number(holders) }, (_, holder) => hold(holder)));
process.disconnect();
