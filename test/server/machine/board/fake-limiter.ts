/**
 * Limiters as a board sees them: a claim is answered later, in any order, is refused, or loses what was granted. It
 * keeps books of its own, and throws where the machine's do not match them: nothing is asked twice, nothing leaks.
 */

import type { ClaimEffect, LoseClaim, SettleClaim } from "../../../../src/server/machine/board/command.ts";
import type { BoardState } from "../../../../src/server/machine/board/machine.ts";
import { refusal } from "../../../../src/server/machine/reasons.ts";

export interface FakeLimiter {
  /** Those that have asked and were not answered. */
  readonly asked: ReadonlySet<string>;
  readonly held: ReadonlySet<string>;
  /** Those that gave up asking: a grant may be on its way to them. */
  readonly late: ReadonlySet<string>;
  grant(id: string): SettleClaim;
  refuse(id: string): SettleClaim;
  lose(id: string): LoseClaim;
  carryOut(effects: readonly ClaimEffect[]): void;
  /** That the machine knows which claims wait and which hold. */
  compareWith(state: BoardState): void;
}

export function createFakeLimiter(): FakeLimiter {
  const asked = new Set<string>();
  const held = new Set<string>();
  const late = new Set<string>();
  /** What it has ended itself: giving that back changes nothing. */
  const over = new Set<string>();

  return {
    asked,
    held,
    late,
    grant(id) {
      asked.delete(id);
      late.delete(id);
      held.add(id);
      return { kind: "settle-claim", id, refusal: undefined };
    },
    refuse(id) {
      asked.delete(id);
      over.add(id);
      return { kind: "settle-claim", id, refusal: refusal("CONCURRENCY_EXHAUSTED", { limiter: "l" }) };
    },
    lose(id) {
      held.delete(id);
      over.add(id);
      return { kind: "lose-claim", id, reason: "LEASE_REVOKED" };
    },
    carryOut(effects) {
      // A grant may come as its puller gives up: what it gives back then is given back once.
      const back = new Set<string>();
      for (const { kind, id } of effects) {
        if (kind === "claim") {
          if (asked.has(id) || held.has(id)) throw new Error(`${id} asks the limiter twice`);
          late.delete(id);
          over.delete(id);
          asked.add(id);
        } else {
          if (asked.delete(id)) late.add(id);
          else if (!held.delete(id) && !over.has(id) && !back.has(id)) {
            throw new Error(`${id} gives the limiter back what it has not`);
          }
          back.add(id);
        }
      }
    },
    compareWith(state) {
      const claiming = [...state.pullers.values()].filter((puller) => puller.claiming).map(({ id }) => id);
      const claimed = [...state.works.values()].filter(({ leaseId }) => leaseId !== undefined).map(({ id }) => id);
      for (const [what, there, known] of [
        ["ask", claiming, asked],
        ["hold", claimed, held],
      ] as const) {
        if (there.length === known.size && there.every((id) => known.has(id))) continue;
        throw new Error(`${[...known]} ${what} at the limiter, and the board thinks that ${there} do`);
      }
    },
  };
}
