/** Gathers all families, from whatever has their figures. */

import type { FrontFigures } from "../front/front.ts";
import type { ThreadFigures } from "../front/thread-meter.ts";
import type { BoardState } from "../machine/board/state.ts";
import type { State } from "../machine/limiter/state.ts";
import type { StoreFigures } from "../store/store.ts";
import { boardSamples } from "./board-samples.ts";
import { limiterSamples } from "./limiter-samples.ts";
import type { ProcessFigures } from "./process-figures.ts";
import type { FamilySamples } from "./samples.ts";
import {
  frontSamples,
  processSamples,
  type ServerFigures,
  serverSamples,
  storeSamples,
  threadSamples,
} from "./server-samples.ts";
import { measureBoards, measureKeys, measureLimiters, type NamedKey } from "./snapshot.ts";

/** Where the figures come from. The machines' states are only looked at. */
export interface Sources {
  /** Bring the state up to now; throw once the engine has ended. */
  readonly limiters: () => State;
  readonly boards: () => BoardState;
  readonly front: () => Promise<FrontFigures>;
  /** Of the thread that decides. */
  readonly main: () => ThreadFigures;
  /** Undefined: nothing is kept. */
  readonly store: () => Promise<StoreFigures | undefined>;
  readonly server: () => ServerFigures;
  readonly process: () => Promise<ProcessFigures>;
  /** What may have series of its own. */
  readonly series: () => { readonly maxLimiters: number; readonly keys: readonly NamedKey[] };
}

export type Collect = () => Promise<readonly FamilySamples[]>;

/** `turn`: resolves in another turn of the event loop. */
export function createCollect(sources: Sources, turn: () => Promise<void>): Collect {
  return async () => {
    const [front, store, process] = await Promise.all([sources.front(), sources.store(), sources.process()]);
    const { maxLimiters, keys } = sources.series();
    const limiters = await measureLimiters(sources.limiters, { maxLimiters, turn });
    const boards = await measureBoards(sources.boards, { turn });
    const server = sources.server();
    return [
      ...limiterSamples(limiters, measureKeys(sources.limiters(), keys)),
      ...boardSamples(boards),
      ...frontSamples(front),
      ...storeSamples(store, server),
      ...serverSamples(server),
      ...threadSamples([["main", sources.main()], ...front.threads]),
      ...processSamples(process),
    ];
  };
}
