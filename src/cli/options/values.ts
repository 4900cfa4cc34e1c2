/** How options' values are read. */

import { InvalidArgumentError } from "commander";
import { parseDuration } from "../../client/api/duration.ts";
import { parseRate } from "../../client/api/rate.ts";

const MAX_COUNT = 2 ** 32 - 1;
const MAX_PAGE = 1000;
const MAX_PRIORITY = 2 ** 31 - 1;
const MAX_TOKEN = 2n ** 64n - 1n;

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

/** `10/m`. */
export function amountRateValue(text: string): string {
  try {
    parseRate(text);
    return text;
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}

/** A number above 0. */
export function rateValue(text: string): number {
  const rate = /^\d+(\.\d+)?(e[+-]?\d+)?$/i.test(text) ? Number(text) : 0;
  if (!(rate > 0))
    throw new InvalidArgumentError("expected a number above 0, tokens a second; an amount per period is --rate 10/m");
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

/** How many cards of a stage are drawn: as many as a page of the contract holds. */
export function cardCountValue(text: string): number {
  const count = countValue(text);
  if (count > MAX_PAGE) throw new InvalidArgumentError(`expected a whole number, 0 to ${MAX_PAGE}`);
  return count;
}

/** A whole number that fits the contract's int32; tighter bounds are the server's to say. */
export function priorityValue(text: string): number {
  const priority = /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(Math.abs(priority) <= MAX_PRIORITY)) throw new InvalidArgumentError("expected a whole number, such as 5 or -5");
  return priority;
}

/** A fencing token, as a pull has printed it. */
export function tokenValue(text: string): bigint {
  const token = /^\d+$/.test(text) ? BigInt(text) : -1n;
  if (token < 1n || token > MAX_TOKEN) throw new InvalidArgumentError("expected a fencing token, a number from 1 on");
  return token;
}

/** How many at once, 1 or more. */
export function concurrencyValue(text: string): number {
  const count = countValue(text);
  if (count < 1) throw new InvalidArgumentError("expected a whole number from 1 on");
  return count;
}
