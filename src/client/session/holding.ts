/** Leases and cards together, as a session has them. */

import { Code } from "@connectrpc/connect";
import type { Clock } from "../rpc/clock.ts";
import type { Cards } from "./cards.ts";
import { keyOf } from "./cards.ts";
import { errorOfReason } from "./errors.ts";
import type { Leases } from "./leases.ts";
import type { SessionHolding } from "./session.ts";

export interface HoldingPorts {
  readonly clock: Clock;
  readonly leases: Leases;
  readonly cards: Cards;
  /** The session is back. */
  readonly onResumed: () => void;
}

export function createHolding({ clock, leases, cards, onResumed }: HoldingPorts): SessionHolding {
  return {
    get living() {
      return leases.living + cards.living;
    },
    get attached() {
      return leases.attached + cards.attached;
    },
    resumed(opened) {
      const now = clock.now().monotonic;
      leases.keepOnly(opened.leaseIds, now);
      cards.keepOnly(opened.cards.map(keyOf), now);
      onResumed();
    },
    lost() {
      const now = clock.now().monotonic;
      leases.keepOnly([], now);
      cards.keepOnly([], now);
    },
    broken(error) {
      leases.breakStreams(error);
      cards.breakStreams(error);
    },
    unclaimed(answer, command) {
      if (answer.case === "granted") leases.adopt(answer.value, undefined);
      else if (answer.case === "pulled" && (command.case === "pull" || command.case === "tryPull")) {
        cards.adopt(command.value, answer.value, undefined);
      }
    },
    notice({ subject, notice }) {
      if (subject.case === "leaseId" && notice.case === "revoking") leases.revoke(subject.value, notice.value);
      else if (subject.case === "leaseId" && notice.case === "ended") leases.end(subject.value, notice.value);
      else if (subject.case === "card" && notice.case === "ended") cards.end(subject.value, notice.value);
    },
    draining(draining) {
      leases.drain(draining);
      cards.drain(draining);
    },
  };
}

/** What the stream ends with of a lease or card that its holder has not renewed for its ttl. */
export function expired(): Error {
  return errorOfReason("LEASE_EXPIRED", Code.Aborted, "its holder has not renewed it within its ttl");
}
