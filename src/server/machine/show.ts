/** Outcomes as plain copies: a limiter goes on changing, an answer does not. */

import type { Command, LimiterChanged, Outcome, OutcomeOf } from "./command.ts";
import { viewLimiter } from "./read.ts";
import type { State } from "./state.ts";
import type { LimiterView } from "./view.ts";

/** A limiter as it stands after the step. */
export interface ShownLimiter {
  readonly kind: "limiter";
  readonly limiter: LimiterView;
}

type Shown<O> = O extends LimiterChanged ? ShownLimiter : O;

export type ShownOutcome = Shown<Outcome>;
export type ShownOutcomeOf<C extends Command> = Shown<OutcomeOf<C>>;

export function showOutcome(state: State, outcome: Outcome): ShownOutcome {
  if (outcome.kind !== "limiter") return outcome;
  return { kind: "limiter", limiter: viewLimiter(state, outcome.limiter, "") };
}
