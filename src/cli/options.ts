/** How options' values are read. */

import { InvalidArgumentError } from "commander";
import { parseDuration } from "./duration.ts";

const MAX_COUNT = 2 ** 32 - 1;

/** ms. */
export function durationValue(text: string): number {
  try {
    return parseDuration(text);
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}

/** A whole number that fits the contract's uint32; tighter bounds are the server's to say. */
export function countValue(text: string): number {
  const count = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(count <= MAX_COUNT)) throw new InvalidArgumentError(`expected a whole number, 0 to ${MAX_COUNT}`);
  return count;
}

/** A number above 0. */
export function rateValue(text: string): number {
  const rate = /^\d+(\.\d+)?$/.test(text) ? Number(text) : 0;
  if (!(rate > 0)) throw new InvalidArgumentError("expected a number above 0, tokens a second");
  return rate;
}

/** One of these words. */
export function wordValue<W extends string>(words: readonly W[]): (text: string) => W {
  return (text) => {
    const word = words.find((each) => each === text);
    if (word === undefined) throw new InvalidArgumentError(`expected one of: ${words.join(", ")}`);
    return word;
  };
}
