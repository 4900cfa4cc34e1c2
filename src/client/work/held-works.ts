/** All cards that a client works on. */

import { createHeldSet, type HeldSet } from "../hold/held-set.ts";
import type { BoardPorts } from "../rpc/ports.ts";
import type { Pulled } from "../wire/work.ts";
import { HeldWork, type HeldWorkOptions, type HeldWorkPorts } from "./held-work.ts";
import type { CardRenewers } from "./renew.ts";

/** What a pull has left: a card to work on, or one that was only moved. */
export type WorkAdmission =
  | { readonly kind: "held"; readonly work: HeldWork }
  | { readonly kind: "moved"; readonly pulled: Pulled };

/** Without what is a person's, which outlives the process, and is nothing to look after. */
export interface HeldWorks extends Omit<HeldSet<HeldWork>, "add" | "delete"> {
  /** Begins to hold what was pulled, if that is anything. */
  admit(options: Omit<HeldWorkOptions, "onOver">): WorkAdmission;
}

/** What calls need that bring work. */
export interface WorkPorts extends BoardPorts {
  readonly works: HeldWorks;
}

interface HeldWorksPorts extends Omit<HeldWorkPorts, "renewer"> {
  readonly renewers: CardRenewers;
}

export function createHeldWorks({ renewers, ...shared }: HeldWorksPorts): HeldWorks {
  const held = createHeldSet<HeldWork>();
  return {
    ...held,
    admit(options) {
      const { pulled } = options;
      if (!pulled.held) return { kind: "moved", pulled };
      const ports = { ...shared, renewer: renewers.of(pulled.credential.board) };
      const work = new HeldWork(ports, { ...options, onOver: () => held.delete(work) });
      if (pulled.ttl !== undefined) held.add(work);
      return { kind: "held", work };
    },
  };
}
