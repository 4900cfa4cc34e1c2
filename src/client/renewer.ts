/** Renews what one client holds, each lease in time and as many as possible in one call. */

import type { Clock, Moment } from "./clock.ts";
import type { Random } from "./random.ts";

/** A lease to be renewed; `C` is its credential, `A` what the server answers. */
export interface Renewable<C, A> {
  readonly credential: C;
  /** ms of its validity that are left. */
  remaining(): number;
  /** Told what the server said to a request sent at `sentAt`. */
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
  /** Makes one call, for 1 to 1,000 leases, answers in their order, and waits `timeout` ms at most. */
  readonly renew: (leases: readonly C[], timeout: number) => Promise<readonly A[]>;
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
 * A lease is renewed after a third of what is left of its validity, a tenth more or less by chance. After a call that
 * failed that is the same rule: a third of less, so that several more tries fit in.
 */
export function createRenewer<C, A>({ clock, random, renew }: RenewerOptions<C, A>): Renewer<C, A> {
  const members = new Set<Renewable<C, A>>();
  const plans = new Map<Renewable<C, A>, Plan>();
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
    const least = Math.min(...batch.map((lease) => lease.remaining()));
    try {
      const credentials = batch.map(({ credential }) => credential);
      const answers = await renew(credentials, Math.max(SHORTEST_TIMEOUT, least / 2));
      for (const [index, lease] of batch.entries()) lease.renewed(answers[index] as A, sentAt);
    } catch {
      // What was not confirmed runs out by itself, unless one of the next calls gets through.
    }
    for (const lease of batch) if (members.has(lease)) plan(lease);
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
      timer?.cancel();
      timer = undefined;
    },
  };
}
