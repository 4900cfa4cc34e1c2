/** The families of limiters. */

import type { KeyFigures, LimiterFigures } from "../machine/limiter/measure.ts";
import type { FamilyId } from "./families.ts";
import { Labels } from "./labels.ts";
import { type FamilySamples, type Sample, samplesOf, seconds } from "./samples.ts";

/** What was measured of one limiter, or of all that have no series of their own. */
export interface MeasuredLimiter {
  readonly labels: Labels;
  readonly figures: LimiterFigures;
}

/** The same of a key that the configuration names. */
export interface MeasuredKey {
  readonly labels: Labels;
  readonly figures: KeyFigures;
}

type Read<F> = (figures: F) => Sample["value"] | undefined;

/** One series for each limiter; none where there is nothing to say. */
const OF_LIMITERS = {
  limiterPermits: ({ permits }) => permits,
  limiterPermitsInUse: ({ permitsInUse }) => permitsInUse,
  limiterWaiters: ({ waiters }) => waiters,
  limiterOldestWaiter: ({ oldestWait }) => seconds(oldestWait),
  limiterLeases: ({ leases }) => leases,
  limiterOrphanedLeases: ({ orphanedLeases }) => orphanedLeases,
  limiterKeys: ({ keys }) => keys,
  limiterTokensAvailable: ({ tokensAvailable }) => tokensAvailable,
  limiterPaused: ({ paused }) => paused,
  requests: ({ requests }) => requests,
  grants: ({ grants }) => grants,
  grantedTokens: ({ totals }) => totals.tokens,
  wait: ({ totals }) => totals.waits,
  hold: ({ totals }) => totals.holds,
} as const satisfies Partial<Record<FamilyId, Read<LimiterFigures>>>;

/** A series for each limiter and value of one more label. */
const OF_LIMITERS_BY = {
  refusals: { label: "reason", read: ({ refusals }) => refusals },
  leaseEnds: { label: "end", read: ({ totals }) => Object.entries(totals.ends) },
  releases: { label: "outcome", read: ({ totals }) => Object.entries(totals.releases) },
} as const satisfies Partial<
  Record<
    FamilyId,
    {
      readonly label: "reason" | "end" | "outcome";
      readonly read: (figures: LimiterFigures) => Iterable<readonly [string, number]>;
    }
  >
>;

const OF_KEYS = {
  keyPermitsInUse: ({ permitsInUse }) => permitsInUse,
  keyWaiters: ({ waiters }) => waiters,
  keyOldestWaiter: ({ oldestWait }) => seconds(oldestWait),
  keyTokensAvailable: ({ tokensAvailable }) => tokensAvailable,
} as const satisfies Partial<Record<FamilyId, Read<KeyFigures>>>;

export function limiterSamples(limiters: readonly MeasuredLimiter[], keys: readonly MeasuredKey[]): FamilySamples[] {
  return [
    ...entries(OF_LIMITERS).map(([id, read]) => samplesOf(id, plain(limiters, read))),
    ...entries(OF_LIMITERS_BY).map(([id, { label, read }]) => samplesOf(id, byLabel(limiters, label, read))),
    ...entries(OF_KEYS).map(([id, read]) => samplesOf(id, plain(keys, read))),
  ];
}

function* plain<F>(measured: readonly { readonly labels: Labels; readonly figures: F }[], read: Read<F>) {
  for (const { labels, figures } of measured) {
    const value = read(figures);
    if (value !== undefined) yield { labels, value };
  }
}

function* byLabel(
  limiters: readonly MeasuredLimiter[],
  label: "reason" | "end" | "outcome",
  read: (figures: LimiterFigures) => Iterable<readonly [string, number]>,
) {
  for (const { labels, figures } of limiters) {
    for (const [of, value] of read(figures)) {
      yield { labels: new Labels([...labels.names, label], [...labels.values, of]), value };
    }
  }
}

function entries<T extends object>(table: T): [keyof T, T[keyof T]][] {
  return Object.entries(table) as [keyof T, T[keyof T]][];
}
