/** Figures of several rounds as they are shown: the one in the middle, and how far the others lie from it. */

export interface Spread {
  readonly median: number;
  readonly lowest: number;
  readonly highest: number;
  readonly rounds: number;
}

/** Throws where there is nothing to tell. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle];
  const lower = sorted.length % 2 === 1 ? upper : sorted[middle - 1];
  const [lowest] = sorted;
  const highest = sorted.at(-1);
  if (upper === undefined || lower === undefined || lowest === undefined || highest === undefined) {
    throw new RangeError("there was no round");
  }
  return { median: (lower + upper) / 2, lowest, highest, rounds: values.length };
}

/** The ratios round by round: what disturbs a whole round disturbs both sides of it. */
export function ratioOf(above: readonly number[], below: readonly number[]): Spread {
  return spreadOf(above.map((value, round) => value / (below[round] as number)));
}
