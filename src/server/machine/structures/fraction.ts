/** Doubles as the fractions that their writers meant: 12.5 is 25/2, 10 / 60 is one sixth, 0.1 + 0.2 is three tenths. */

export interface Fraction {
  readonly numerator: number;
  readonly denominator: number;
}

/** Digits after the point that are written by hand. */
const DECIMALS = 9;
/** A double is within half a unit of its last place (2^-53) of what was written; sums and products of a few stay within this. */
const ROUNDING = 2n ** 50n;
/** Of both parts: with a denominator in seconds turned into µs, every part stays an exact double. */
const MAX_DENOMINATOR = 9_000_000_000n;
const MAX_NUMERATOR = 9_000_000_000_000_000n;

/**
 * Returns what a positive, finite double was written as: a decimal of up to nine digits after the point, else the fraction
 * with the smallest denominator that is within the double's rounding. A double that needs a denominator above 9 * 10^9
 * becomes the nearest fraction below that bound, to about ten digits.
 */
export function simplestFraction(value: number): Fraction {
  let found = asDecimal(value) ?? simplestNear(value);
  // The double of that fraction may be near a simpler one: what is read back is read as the same again.
  for (;;) {
    const nearest = found.numerator / found.denominator;
    const next = asDecimal(nearest) ?? simplestNear(nearest);
    if (next.denominator === found.denominator && next.numerator === found.numerator) return found;
    found = next;
  }
}

export function greatestCommonDivisor(a: bigint, b: bigint): bigint {
  let [x, y] = [a, b];
  while (y > 0n) [x, y] = [y, x % y];
  return x;
}

function asDecimal(value: number): Fraction | undefined {
  for (let digits = 0; digits <= DECIMALS; digits += 1) {
    const numerator = Math.round(value * 10 ** digits);
    if (Number(`${numerator}e-${digits}`) !== value || !Number.isSafeInteger(numerator)) continue;
    const divisor = greatestCommonDivisor(BigInt(numerator), 10n ** BigInt(digits));
    return { numerator: numerator / Number(divisor), denominator: 10 ** digits / Number(divisor) };
  }
  return undefined;
}

function simplestNear(value: number): Fraction {
  const [numerator, denominator] = exactly(value);
  // value * (1 - 2^-50) and value * (1 + 2^-50).
  const scaled = denominator * ROUNDING;
  let [p, q] = simplestBetween([numerator * (ROUNDING - 1n), scaled], [numerator * (ROUNDING + 1n), scaled]);
  const most = (MAX_NUMERATOR * denominator) / numerator;
  const bound = most < MAX_DENOMINATOR ? most : MAX_DENOMINATOR;
  if (q > bound) [p, q] = nearestWithin([numerator, denominator], bound);
  return { numerator: Number(p), denominator: Number(q) };
}

type Ratio = readonly [numerator: bigint, denominator: bigint];

/** A double is an integer times a power of two. */
function exactly(value: number): Ratio {
  let [mantissa, exponent] = [value, 0];
  while (!Number.isInteger(mantissa)) {
    mantissa *= 2;
    exponent += 1;
  }
  return [BigInt(mantissa), 2n ** BigInt(exponent)];
}

/** The fraction with the smallest denominator from `low` to `high`, by their continued fractions. */
function simplestBetween([a, b]: Ratio, [c, d]: Ratio): Ratio {
  const whole = a / b;
  if (a % b === 0n) return [whole, 1n];
  if (whole < c / d) return [whole + 1n, 1n];
  const [p, q] = simplestBetween([d, c - whole * d], [b, a - whole * b]);
  return [whole * p + q, p];
}

/** The nearest fraction whose denominator is at most `bound`: the last convergent, or the one between it and the next. */
function nearestWithin([numerator, denominator]: Ratio, bound: bigint): Ratio {
  let [p0, q0, p1, q1] = [0n, 1n, 1n, 0n];
  let [n, d] = [numerator, denominator];
  for (;;) {
    const whole = n / d;
    const q2 = q0 + whole * q1;
    if (q2 > bound) break;
    [p0, q0, p1, q1] = [p1, q1, p0 + whole * p1, q2];
    [n, d] = [d, n - whole * d];
  }
  const steps = (bound - q0) / q1;
  const [p2, q2] = [p0 + steps * p1, q0 + steps * q1];
  // Which is nearer to n/d, in whole numbers.
  const error1 = distance(p1 * denominator, numerator * q1) * q2;
  const error2 = distance(p2 * denominator, numerator * q2) * q1;
  return error1 <= error2 ? [p1, q1] : [p2, q2];
}

function distance(a: bigint, b: bigint): bigint {
  return a > b ? a - b : b - a;
}
