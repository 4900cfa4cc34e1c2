/** All cards that a client works on. */

import type { AttachmentPorts } from "./attachment.ts";
import { WorkHolding, type WorkHoldingOptions, type WorkHoldingPorts } from "./work-holding.ts";
import type { CardRenewers } from "./work-renewing.ts";
import type { CardCredential, Pulled } from "./work-wire.ts";

/** What a pull has left: a card to work on, or one that was only moved. */
export type WorkAdmission =
  | { readonly kind: "held"; readonly holding: WorkHolding }
  | { readonly kind: "moved"; readonly pulled: Pulled };

export interface WorkHoldings {
  /** Begins to hold what was pulled, if that is anything. */
  admit(options: Omit<WorkHoldingOptions, "onOver">): WorkAdmission;
  /** Gives everything back because of `reason`, but what is a person's, and waits until the server knows. */
  abandonAll(reason: unknown): Promise<void>;
  /** What the server needs to hear for it to take everything back, but what is a person's. */
  credentials(): readonly CardCredential[];
  /** The page goes away, and has said so to the server as well as it can. */
  leavePage(): void;
}

interface WorkHoldingsPorts
  extends Pick<WorkHoldingPorts, "sayEnded" | "confirmWithin" | "unavailable" | "onEvent">,
    AttachmentPorts {
  readonly renewers: CardRenewers;
}

export function createWorkHoldings({ renewers, ...shared }: WorkHoldingsPorts): WorkHoldings {
  const holdings = new Set<WorkHolding>();
  return {
    admit(options) {
      const { pulled } = options;
      if (!pulled.held) return { kind: "moved", pulled };
      const ports = { ...shared, renewer: renewers.of(pulled.credential.board) };
      const holding = new WorkHolding(ports, { ...options, onOver: () => holdings.delete(holding) });
      // What is a person's outlives the process, and is nothing to look after.
      if (pulled.ttl !== undefined) holdings.add(holding);
      return { kind: "held", holding };
    },
    async abandonAll(reason) {
      await Promise.all([...holdings].map((holding) => holding.abandon(reason)));
    },
    credentials: () => [...holdings].map(({ pulled }) => pulled.credential),
    leavePage() {
      for (const holding of [...holdings]) holding.leavePage();
    },
  };
}
