/** What a session that is taken up again holds, which comes in several messages where it is much. */

import { create } from "@bufbuild/protobuf";
import { type SessionOpened, SessionOpenedSchema } from "../gen/ggen/backpressure/v1/session_service_pb.ts";

export interface Gathered {
  /** Returns all that has come, once it is whole. */
  add(part: SessionOpened): SessionOpened | undefined;
}

export function createGathered(): Gathered {
  const leaseIds: SessionOpened["leaseIds"] = [];
  const cards: SessionOpened["cards"] = [];
  return {
    add({ credential, resumed, more, ...part }) {
      for (const id of part.leaseIds) leaseIds.push(id);
      for (const card of part.cards) cards.push(card);
      return more ? undefined : create(SessionOpenedSchema, { credential, resumed, leaseIds, cards });
    },
  };
}
