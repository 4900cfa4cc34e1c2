/** An engine on a stage: time passes, and the store keeps, when the case says so. */

import type { BoardEngine } from "../../src/server/engine/board-engine.ts";
import type { Engine } from "../../src/server/engine/engine.ts";

export interface Engines {
  readonly engine: Engine;
  readonly boards: BoardEngine;
}

export interface Stage extends Engines, AsyncDisposable {
  /** Resolves when all has been said that can be said by now. */
  calm(): Promise<void>;
  /** Lets so many µs pass. */
  pass(micros: number): Promise<void>;
  /** From here on nothing is kept, as on a disk that is stuck. */
  hold(): Promise<void>;
  /** What was held back is kept. */
  letGo(): Promise<void>;
  /** The engine is out of reach from here on. */
  lose(): Promise<void>;
}

/** ms since 1970 at the beginning of each stage. */
export const BEGIN = 1_700_000_000_000;

export interface Case {
  readonly name: string;
  /** Throws where the engine breaks its word. */
  play(stage: Stage): Promise<void>;
}
