/** Looks at a queue, and at those in which its first waiter stands as well. */

import type { LeaseInfo, Limiter, WaiterInfo } from "../client/api/limiter.ts";
import type { Sight, Sights } from "./sight.ts";
import { standingOf } from "./standing.ts";

/** The calls that a look takes; each rejects as the client's do. An empty key: all keys, or there are none. */
export interface LookPorts {
  limiter(name: string, key: string): Promise<Limiter>;
  /** The first page, the longest held first, and when it was read: ms since 1970 by the server's clock. */
  leases(name: string, key: string): Promise<{ readonly leases: readonly LeaseInfo[]; readonly readAt: number }>;
  /** The first page, in the order of arrival. */
  waiters(name: string, key: string): Promise<readonly WaiterInfo[]>;
}

/** From one queue to the next that is in its way: more would be no explanation. */
const MOST_OTHERS = 4;

/**
 * Looks at a limiter, or at one of its keys. Of a keyed limiter without a key that of the oldest waiter is looked at, where
 * one waits. Rejects where the limiter cannot be looked at; a queue behind it that cannot is left out.
 */
export async function lookAt(ports: LookPorts, name: string, key: string): Promise<Sights> {
  const of = await sightOf(ports, name, key);
  const others: Sight[] = [];
  let last = of;
  while (others.length < MOST_OTHERS) {
    const { cause } = standingOf(last.limiter, { key: last.key });
    if (cause.kind !== "limiter") break;
    const isSeen = [of, ...others].some((each) => each.limiter.name === cause.limiter && each.key === cause.key);
    const next = isSeen ? undefined : await sightOf(ports, cause.limiter, cause.key).catch(() => undefined);
    if (next === undefined) break;
    others.push(next);
    last = next;
  }
  return { of, others };
}

async function sightOf(ports: LookPorts, name: string, asked: string): Promise<Sight> {
  const whole = await ports.limiter(name, asked);
  const key = asked === "" && whole.keyed ? oldestKey(whole) : asked;
  const [limiter, { leases, readAt }, waiters] = await Promise.all([
    key === asked ? whole : ports.limiter(name, key),
    ports.leases(name, key),
    ports.waiters(name, key),
  ]);
  return { limiter, key, leases, waiters, readAt };
}

/** The key under which the oldest waiter waits; empty: none waits, or the server does not say what is in its way. */
function oldestKey({ name, status }: Limiter): string {
  return status.obstacles.find((each) => each.limiter === name)?.key ?? "";
}
