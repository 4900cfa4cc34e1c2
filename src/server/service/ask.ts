/** One command, one outcome. */

import type { Engine } from "../engine/engine.ts";
import type { Command, OutcomeOf } from "../machine/command.ts";

export function ask<C extends Command>(engine: Engine, command: C): Promise<OutcomeOf<C>> {
  return new Promise((resolve) => {
    engine.submit([command], ([outcome]) => resolve(outcome as OutcomeOf<C>));
  });
}
