/** Choices that follow from one number, so that a property shrinks and replays by that number. */

export interface Dice {
  /** A whole number from 0, below `sides`. */
  roll(sides: number): number;
  /** True `percent` times of a hundred. */
  chance(percent: number): boolean;
  pick<T>(from: readonly T[]): T;
}

/** By mulberry32 (Tommy Ettinger, public domain). */
export function createDice(seed: number): Dice {
  let state = seed | 0;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (t ^ (t >>> 14)) >>> 0;
  };
  const roll = (sides: number) => next() % sides;
  return {
    roll,
    chance: (percent) => roll(100) < percent,
    pick<T>(from: readonly T[]) {
      if (from.length === 0) throw new Error("nothing to pick from");
      return from[roll(from.length)] as T;
    },
  };
}
