/** What of leases, waiters and limiters a caller may see. */

import type { Rights, Verb } from "../../access/rights.ts";
import type { LimiterView } from "../../machine/limiter/view.ts";
import type { Page } from "../../machine/page.ts";

interface Claiming {
  readonly claims: readonly { readonly limiter: string; readonly key: string }[];
}

/** Whether it may do this with all that a lease, or waiter, claims. */
export function mayAllOf(rights: Rights, verb: Verb, { claims }: Claiming): boolean {
  return claims.every(({ limiter, key }) => rights.mayKey(verb, limiter, key));
}

export function sees(rights: Rights, { config }: LimiterView): boolean {
  return rights.reach("observe", config.name) === "whole";
}

/** A limiter without what its oldest waiter asks of limiters that are not to be seen. */
export function asSeen(rights: Rights, view: LimiterView): LimiterView {
  const { obstacles } = view.status;
  const seen = obstacles.filter(({ limiter, key }) => rights.mayKey("observe", limiter, key));
  return seen.length === obstacles.length ? view : { ...view, status: { ...view.status, obstacles: seen } };
}

/**
 * Reads pages until one has something that is to be seen. `tokenOf`: where a page goes on behind an item; the token must not name what
 * is not seen. Undefined: tokens are numbers, which name nothing.
 */
export async function visiblePage<T>(
  after: string,
  read: (after: string) => Promise<Page<T>>,
  isSeen: (item: T) => boolean,
  tokenOf?: (item: T) => string,
): Promise<Page<T>> {
  for (let at = after; ; ) {
    const page = await read(at);
    const items = page.items.filter(isSeen);
    const last = items.at(-1);
    if (page.next === "" || last !== undefined) {
      const next = page.next === "" || last === undefined ? "" : (tokenOf?.(last) ?? page.next);
      return { items, next };
    }
    at = page.next;
  }
}
