/** What a session says when it is open, in as many messages as what it holds wants. */

import type { SessionCredential, SessionOpened } from "../../gen/ggen/backpressure/v1/session_service_pb.ts";
import type { Resumed } from "./sides.ts";

/** Leases, and cards, of one message, as in the contract: some 3 MB at the most. */
const MOST = 10_000;

export function openedParts(
  credential: SessionCredential,
  resumed: boolean,
  { leaseIds, cards }: Resumed,
): readonly SessionOpened[] {
  const count = Math.max(1, Math.ceil(Math.max(leaseIds.length, cards.length) / MOST));
  return Array.from({ length: count }, (_, index) => ({
    $typeName: "ggen.backpressure.v1.SessionOpened",
    credential,
    resumed,
    leaseIds: leaseIds.slice(index * MOST, (index + 1) * MOST),
    cards: cards.slice(index * MOST, (index + 1) * MOST),
    more: index < count - 1,
  }));
}
