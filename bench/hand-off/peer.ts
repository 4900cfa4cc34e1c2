/**
 * One of the processes between which a permit goes to and fro, each with a session of its own: it does what its parent says.
 * `node bench/hand-off/peer.ts ADDRESS LIMITER`
 */

import { openSession } from "../load/session-connection.ts";
import { acquireRequest } from "../load/verbs.ts";

/** `queue`: asks for a lease. `release`: gives it back. `round-trip`: asks for a lease that is granted at once. */
export type PeerOrder = "queue" | "release" | "round-trip";

/** What became of it. `at`: ms by the clock that all processes of a machine share. */
export type PeerNews =
  | { readonly kind: "ready" | "placed" }
  | { readonly kind: "granted"; readonly at: number }
  /** `at`: when the command was sent, which is said once it has been answered. */
  | { readonly kind: "released"; readonly at: number }
  | { readonly kind: "round-trip"; readonly took: number };

const [address, limiter] = process.argv.slice(2) as [string, string];
const say = (news: PeerNews) => process.send?.(news);
/** Linux counts it from the start of the machine, in every process. */
const now = () => Number(process.hrtime.bigint()) / 1e6;

const session = openSession(address);
await session.opened;
const request = acquireRequest({ limiter, key: "" });
let leaseId = "";

const ORDERS: Readonly<Record<PeerOrder, () => void>> = {
  queue() {
    session.acquire(
      request,
      (answer) => {
        const at = now();
        if (answer.kind !== "granted") throw new Error(`the gate was ${answer.kind}`);
        leaseId = answer.leaseId;
        say({ kind: "granted", at });
      },
      () => say({ kind: "placed" }),
    );
  },
  release() {
    const at = now();
    session.release(leaseId, () => say({ kind: "released", at }));
  },
  "round-trip"() {
    const sent = now();
    session.acquire(request, () => say({ kind: "round-trip", took: now() - sent }));
  },
};

process.on("message", (order: PeerOrder) => ORDERS[order]());
process.on("disconnect", () => process.exit());
say({ kind: "ready" });
