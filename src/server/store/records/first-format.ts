/** Rates and buckets as format 1 of the data folder had them. */

import { createRate, type Rate } from "../../machine/limiter/rate.ts";
import type { BucketRecord } from "../../machine/limiter/record.ts";

/** Format 1 counted a rate in thousandths of a token a second, and a bucket in nanotokens. */
const NANOTOKENS = 1e9;

interface FirstRate {
  readonly milliRps: number;
  readonly capacity: number;
}

interface FirstBucket {
  readonly limiter: string;
  readonly key: string;
  readonly level: number;
}

/** Returns a rate as it is kept now, worked out anew from how it was stated. */
export function rateOfNow(rate: Rate | FirstRate): Rate | undefined {
  if (!("milliRps" in rate)) return createRate(rate.stated, rate.capacity);
  return createRate({ kind: "per-second", maxRps: rate.milliRps / 1000 }, rate.capacity / NANOTOKENS);
}

/** Returns a bucket's record as it is kept now. */
export function bucketOfNow(record: BucketRecord | FirstBucket): BucketRecord {
  if (!("level" in record)) return record;
  const { limiter, key, level } = record;
  const tokens = Math.floor(level / NANOTOKENS);
  return { limiter, key, tokens, parts: level - tokens * NANOTOKENS, rate: [0, NANOTOKENS, 0], at: undefined };
}
