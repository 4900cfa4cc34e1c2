/** The limiters of the history check, each for another way in which permits, tokens and queues come together. */

export interface CheckedLimiter {
  readonly name: string;
  /** Of each key. */
  readonly maxConcurrent?: number;
  readonly rate?: { readonly maxRps: number; readonly burstSize: number };
  /** A limiter without keys has the empty one. */
  readonly keys: readonly string[];
}

const UNKEYED = [""];

export const LIMITERS: readonly CheckedLimiter[] = [
  { name: "few", maxConcurrent: 10, keys: UNKEYED },
  { name: "wide", maxConcurrent: 30, keys: UNKEYED },
  { name: "both", maxConcurrent: 2, rate: { maxRps: 10, burstSize: 4 }, keys: UNKEYED },
  { name: "rate", rate: { maxRps: 20, burstSize: 5 }, keys: UNKEYED },
  { name: "keyed", maxConcurrent: 3, keys: ["a", "b", "c", "d"] },
  { name: "left", maxConcurrent: 12, keys: UNKEYED },
  { name: "right", maxConcurrent: 12, keys: UNKEYED },
];

/** One limiter under one of its keys: what has a count of permits, a bucket and a queue. */
export interface Instance {
  readonly limiter: CheckedLimiter;
  readonly key: string;
}

export const INSTANCES: readonly Instance[] = LIMITERS.flatMap((limiter) =>
  limiter.keys.map((key) => ({ limiter, key })),
);

/** How it is named in counts and violations. */
export function nameOf(limiter: string, key: string): string {
  return key === "" ? limiter : `${limiter}/${key}`;
}

export const LIMITERS_YAML = `limiters:\n${LIMITERS.map(yamlOf).join("\n")}\n`;

function yamlOf({ name, maxConcurrent, rate, keys }: CheckedLimiter): string {
  return `  - ${JSON.stringify({
    name,
    max_concurrent: maxConcurrent,
    max_rps: rate?.maxRps,
    burst_size: rate?.burstSize,
    keyed: keys !== UNKEYED,
    ttl: "30s",
  })}`;
}
