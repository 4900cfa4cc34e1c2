/** How long the harnesses run, and by which numbers they roll. */

/** C: with every run of CI. N: by hand, `RELIABILITY=nightly`. */
export const tier: "C" | "N" = process.env.RELIABILITY === "nightly" ? "N" : "C";

/** Both counts, and the one that goes. */
export function inTier(counts: { readonly C: number; readonly N: number }): number {
  return counts[tier];
}

/** Another each time, unless `RELIABILITY_SEED` says which. It is printed, since a failure wants it. */
export function seedOf(harness: string): number {
  const said = process.env.RELIABILITY_SEED;
  const seed = said === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(said);
  if (!Number.isSafeInteger(seed)) throw new Error(`RELIABILITY_SEED must be a whole number, not ${said}`);
  process.stdout.write(`${harness}: RELIABILITY_SEED=${seed}\n`);
  return seed;
}
