/** One command, one outcome. */

import type { Engine } from "../engine/engine.ts";
import type { Command, TryAcquire } from "../machine/command.ts";
import type { ShownOutcomeOf } from "../machine/show.ts";
import type { UnaryCall } from "./rpc.ts";

export function ask<C extends Command>(engine: Engine, command: C): Promise<ShownOutcomeOf<C>> {
  return new Promise((resolve) => {
    engine.submit([command], ([outcome]) => resolve(outcome as ShownOutcomeOf<C>));
  });
}

/** The same for a call whose caller may leave before the outcome is kept: it then takes nothing. */
export function askFor(engine: Engine, command: TryAcquire, call: UnaryCall): Promise<ShownOutcomeOf<TryAcquire>> {
  return new Promise((resolve) => {
    let answered = false;
    engine.submit([command], ([outcome]) => {
      answered = true;
      resolve(outcome);
    });
    if (answered) return;
    call.onGone(() => {
      if (answered) return;
      const { id, requestId } = command;
      engine.submit([{ kind: "abandon", id, requestId }], () => {});
    });
  });
}
