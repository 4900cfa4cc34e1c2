/** Grants at the engine, in this process, by the real clock: waiters are always there, and each grant makes one more. */

import { createSystemClock } from "../../src/server/clock.ts";
import { createEmbeddedEngine } from "../../src/server/engine/embedded/embedded-engine.ts";
import { createIds } from "../../src/server/ids.ts";
import type { ShownGrant } from "../../src/server/machine/limiter/show.ts";
import { createMemoryStore } from "../../src/server/store/memory-store.ts";
import { alwaysThere } from "../../test/support/always-there.ts";
import { limiterOf } from "../../test/support/limiter-config.ts";
import type { RateLimit } from "./grants.ts";

/** The instants (µs) of the grants of so many ms, and of the one after. */
export async function grantAtEngine(
  { rate, claim }: RateLimit,
  { duration, waiters }: { readonly duration: number; readonly waiters: number },
): Promise<readonly number[]> {
  const clock = createSystemClock();
  const ids = createIds();
  const engine = createEmbeddedEngine({ clock, store: createMemoryStore(), machine: { maxWaiters: waiters } });
  engine.submit({ kind: "create-limiter", config: limiterOf({ rate }) }, () => {}, alwaysThere);
  const claims = [{ limiter: "db", key: "", permits: 0, tokens: claim, slots: false }];
  const instants: number[] = [];
  const until = (clock.wallTime(clock.now()) + duration) * 1_000;
  const { promise, resolve } = Promise.withResolvers<void>();

  function join(): void {
    const stream = engine.openStream((news) => {
      if (news.kind === "granted") take(news, stream);
    }, alwaysThere);
    engine.submit(
      {
        kind: "acquire",
        id: ids.next(),
        claims,
        holder: "bench",
        maxWait: undefined,
        ttl: undefined,
        requestId: "",
        stream,
        monitored: true,
        keepOnCancel: false,
        session: undefined,
      },
      (outcome) => {
        if (outcome.kind === "refused") throw new Error(outcome.reason);
        if (outcome.kind === "granted") take(outcome, stream);
      },
      alwaysThere,
    );
  }

  function take({ lease }: ShownGrant, stream: number): void {
    engine.closeStream(stream);
    const grantedAt = lease.grantedAt * 1_000;
    instants.push(grantedAt);
    if (grantedAt < until) join();
    else resolve();
  }

  for (let i = 0; i < waiters; i++) join();
  await promise;
  await engine.close();
  return instants;
}
