/** What state a limiter is in, at a glance: as the command line has it, too. */

import type { Limiter } from "../../client/api/limiter.ts";
import { needsOperator } from "../../explain/overview.ts";
import { type State, standingOf } from "../../explain/standing.ts";
import { causeWords } from "../../explain/words.ts";

export { STATES as TROUBLES } from "../../explain/overview.ts";
export type { State as Trouble } from "../../explain/standing.ts";
export { STATE_MEANINGS as TROUBLE_MEANING, STATE_WORDS as TROUBLE_WORDS } from "../../explain/words.ts";

interface TroubleOf {
  readonly trouble: State;
  readonly needsAttention: boolean;
  /** In a word or two; empty: nothing waits. */
  readonly heldBackBy: string;
}

/** `age`: ms since the limiter was heard of. */
export function troubleOf(limiter: Limiter, age: number): TroubleOf {
  const standing = standingOf(limiter, { elapsed: age });
  return {
    trouble: standing.state,
    needsAttention: needsOperator({ limiter, standing }),
    heldBackBy: causeWords(standing.cause),
  };
}
