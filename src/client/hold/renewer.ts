/** Renews what one client holds, each lease in time and as many as possible in one call. */

import type { Clock, Moment } from "../rpc/clock.ts";
import type { Random } from "../rpc/random.ts";

/** A lease to be renewed; `C` is its credential, `A` what the server answers. */
export interface Renewable<C, A> {
  readonly credential: C;
  /** ms of its validity that are left. */
  remaining(): number;
  /** Called with what the server said to a request sent at `sentAt`. */
  renewed(answer: A, sentAt: Moment): void;
}

export interface Renewer<C, A> {
  /** Renews it again and again, until it is removed. */
  add(lease: Renewable<C, A>): void;
  remove(lease: Renewable<C, A>): void;
}

export interface RenewerOptions<C, A> {
  readonly clock: Clock;
  readonly random: Random;
  /** Makes one call, for 1 to 1,000 leases, answers in their order, and waits for that as the options say. */
  readonly renew: (leases: readonly C[], options: RenewOptions) => Promise<readonly A[]>;
  /** Called with each lease of a call that has failed, with the ms that are left of its validity. */
  readonly onFailed: (lease: C, remaining: number, error: Error) => void;
  /** Called where a call has no answer when half of what was left has passed. */
  readonly onSlow?: (() => void) | undefined;
}

export interface RenewOptions {
  /** ms for the answer. */
  readonly within: number;
  /** Aborts when nothing is held any more that could be renewed. */
  readonly signal: AbortSignal;
}

/** The most leases in one call. */
const MAX_BATCH = 1000;

/** When a lease is renewed: at `due`, or from `early` on if a call is made for others anyway. Monotonic ms. */
interface Plan {
  readonly early: number;
  readonly due: number;
}

/** ms; no lease is renewed more often, and no call given less. */
const SHORTEST_INTERVAL = 10;
const SHORTEST_TIMEOUT = 250;

/**
 * Renews a lease after a third of what is left of its validity, a tenth more or less by chance. After a call that failed the rule
 * is the same: a third of less, so that several more tries fit in.
 *
 * A call that has no answer when half of what was left has passed is not given up: its answer may be on a long way. The leases
 * are renewed by another call meanwhile.
 */
export function createRenewer<C, A>({ clock, random, renew, onFailed, onSlow }: RenewerOptions<C, A>): Renewer<C, A> {
  const members = new Set<Renewable<C, A>>();
  const plans = new Map<Renewable<C, A>, Plan>();
  /** Aborts when the last lease is removed, and is then another. */
  let idle = new AbortController();
  /** What calls off the wait for each call that has no answer yet. */
  const waits = new Set<() => void>();
  let timer: { readonly at: number; readonly cancel: () => void } | undefined;

  function plan(lease: Renewable<C, A>): void {
    const interval = Math.max(SHORTEST_INTERVAL, (lease.remaining() / 3) * (0.9 + 0.2 * random.fraction()));
    const now = clock.now().monotonic;
    plans.set(lease, { early: now + interval / 2, due: now + interval });
    arm(now + interval);
  }

  function arm(at: number): void {
    if (timer !== undefined && timer.at <= at) return;
    timer?.cancel();
    timer = { at, cancel: clock.scheduleInBackground(at - clock.now().monotonic, fire) };
  }

  function fire(): void {
    timer = undefined;
    const now = clock.now().monotonic;
    const batch: Renewable<C, A>[] = [];
    let isDue = false;
    for (const [lease, { early, due }] of plans) {
      if (early > now) continue;
      batch.push(lease);
      isDue ||= due <= now;
    }
    if (isDue) for (let i = 0; i < batch.length; i += MAX_BATCH) void send(batch.slice(i, i + MAX_BATCH));
    let next = Number.POSITIVE_INFINITY;
    for (const { due } of plans.values()) next = Math.min(next, due);
    if (next < Number.POSITIVE_INFINITY) arm(next);
  }

  async function send(batch: readonly Renewable<C, A>[]): Promise<void> {
    for (const lease of batch) plans.delete(lease);
    const sentAt = clock.now();
    const left = batch.map((lease) => lease.remaining());
    const patience = Math.max(SHORTEST_INTERVAL, Math.min(...left) / 2);
    const stopWaiting = clock.scheduleInBackground(patience, () => {
      waits.delete(stopWaiting);
      onSlow?.();
      planAgain(batch);
    });
    waits.add(stopWaiting);
    try {
      const credentials = batch.map(({ credential }) => credential);
      const within = Math.max(SHORTEST_TIMEOUT, ...left);
      const answers = await renew(credentials, { within, signal: idle.signal });
      for (const [index, lease] of batch.entries()) lease.renewed(answers[index] as A, sentAt);
    } catch (error) {
      for (const lease of batch) if (members.has(lease)) onFailed(lease.credential, lease.remaining(), error as Error);
    }
    waits.delete(stopWaiting);
    stopWaiting();
    planAgain(batch);
  }

  /** A lease of which another call has taken care meanwhile has its plan. */
  function planAgain(batch: readonly Renewable<C, A>[]): void {
    for (const lease of batch) if (members.has(lease) && !plans.has(lease)) plan(lease);
  }

  return {
    add(lease) {
      members.add(lease);
      plan(lease);
    },
    remove(lease) {
      members.delete(lease);
      plans.delete(lease);
      if (members.size > 0) return;
      for (const stopWaiting of waits) stopWaiting();
      waits.clear();
      idle.abort();
      idle = new AbortController();
      timer?.cancel();
      timer = undefined;
    },
  };
}
