/** What an operator may do about a queue. */

import { formatRoughly } from "../text/duration.ts";

export type Act =
  | { readonly kind: "revoke"; readonly leaseId: string; readonly holder: string }
  | { readonly kind: "wait"; readonly ms: number | undefined }
  | { readonly kind: "resume"; readonly limiter: string }
  | { readonly kind: "raise-concurrency"; readonly limiter: string; readonly maxConcurrent: number }
  | { readonly kind: "raise-rate"; readonly limiter: string }
  | { readonly kind: "lengthen-queue"; readonly limiter: string; readonly maxWaiters: number }
  | { readonly kind: "cancel-waiter"; readonly waiterId: string; readonly holder: string }
  | { readonly kind: "look-at"; readonly limiter: string; readonly key: string }
  | { readonly kind: "force-delete"; readonly limiter: string };

/** Returns what to do, and what comes of it. */
export function actWords(act: Act): string {
  switch (act.kind) {
    case "revoke":
      return `Ask ${act.holder || "its holder"} for its lease back: its permits are free when it releases them, at the latest after its ttl.`;
    case "wait":
      return act.ms === undefined ? "Nothing: it goes on by itself." : `Nothing: wait ${formatRoughly(act.ms)}.`;
    case "resume":
      return `Resume ${act.limiter}: its waiters are granted in order.`;
    case "raise-concurrency":
      return `Raise max_concurrent of ${act.limiter}, now ${act.maxConcurrent}, if what it guards bears more.`;
    case "raise-rate":
      return `Raise the rate of ${act.limiter}, if what it guards bears more.`;
    case "lengthen-queue":
      return `Raise max_waiters of ${act.limiter}, now ${act.maxWaiters}, if callers can wait for longer.`;
    case "cancel-waiter":
      return `Take ${act.holder || "the first waiter"} out of the queue, so that those behind it go on.`;
    case "look-at":
      return `Look at ${act.limiter}${act.key === "" ? "" : ` under ${act.key}`}.`;
    case "force-delete":
      return `Delete ${act.limiter} by force: its leases end at once, while their holders may still be at work.`;
  }
}
