/**
 * What is measured of limiters and boards for one scrape: each at one instant, a few in a turn of the event loop. Those beyond what
 * may have series of their own are added up.
 */

import { addBoard, createBoardSum, measureBoard } from "../machine/board/measure.ts";
import type { BoardState } from "../machine/board/state.ts";
import type { Limiter } from "../machine/limiter/limiter.ts";
import { addLimiter, createSum, measureKey, measureLimiter } from "../machine/limiter/measure.ts";
import type { State } from "../machine/limiter/state.ts";
import type { MeasuredBoard } from "./board-samples.ts";
import { Labels } from "./labels.ts";
import type { MeasuredKey, MeasuredLimiter } from "./limiter-samples.ts";

/** A key that may have series. */
export interface NamedKey {
  readonly limiter: string;
  readonly key: string;
}

/** No limiter and no board can have this name. */
export const OTHER = "_other";

/** Limiters, keys or boards that are measured in one turn. */
export const MEASURED_AT_ONCE = 25;

/** Boards with series of their own; with as many stages as may be they have 60,000 lines. */
export const MAX_BOARDS = 100;

interface Pace {
  /** Resolves in another turn of the event loop. */
  readonly turn: () => Promise<void>;
}

/** `look`: brings the state up to now. */
export async function measureLimiters(
  look: () => State,
  { maxLimiters, turn }: Pace & { readonly maxLimiters: number },
): Promise<readonly MeasuredLimiter[]> {
  const measured: MeasuredLimiter[] = [];
  const others = createSum();
  let total = 0;
  let last = "";
  for (let isMore = true; isMore; ) {
    const state = look();
    isMore = false;
    let taken = 0;
    for (const name of state.limiterNames.after(last)) {
      if (taken === MEASURED_AT_ONCE) {
        isMore = true;
        break;
      }
      taken += 1;
      total += 1;
      last = name;
      const limiter = state.limiters.get(name) as Limiter;
      if (total > maxLimiters) addLimiter(others, state, limiter);
      else measured.push({ labels: new Labels(["limiter"], [name]), figures: measureLimiter(state, limiter) });
    }
    if (isMore) await turn();
  }
  if (total > maxLimiters) measured.push({ labels: new Labels(["limiter"], [OTHER]), figures: others });
  return measured;
}

/** Of keys whose limiters are there and keyed. */
export function measureKeys(state: State, keys: readonly NamedKey[]): readonly MeasuredKey[] {
  return keys.flatMap(({ limiter: name, key }) => {
    const limiter = state.limiters.get(name);
    if (limiter === undefined || !limiter.config.keyed) return [];
    return [{ labels: new Labels(["limiter", "key"], [name, key]), figures: measureKey(state, limiter, key) }];
  });
}

export async function measureBoards(look: () => BoardState, { turn }: Pace): Promise<readonly MeasuredBoard[]> {
  const names = [...look().boards.keys()].sort();
  const measured: MeasuredBoard[] = [];
  const others = createBoardSum();
  for (let start = 0; start < names.length; start += MEASURED_AT_ONCE) {
    if (start > 0) await turn();
    const state = look();
    for (let index = start; index < Math.min(names.length, start + MEASURED_AT_ONCE); index++) {
      const name = names[index] as string;
      const board = state.boards.get(name);
      if (board === undefined) continue;
      if (index < MAX_BOARDS) measured.push({ name, ...measureBoard(board) });
      else addBoard(others, board);
    }
  }
  if (names.length > MAX_BOARDS) {
    measured.push({ name: OTHER, stages: [[OTHER, others.stages]], leads: others.leads });
  }
  return measured;
}
