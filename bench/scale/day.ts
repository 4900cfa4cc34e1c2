/** A day of virtual time at the engine: grants, releases, leases that expire, and waiters that give up, ten a second. */

import { createEmbeddedEngine } from "../../src/server/engine/embedded/embedded-engine.ts";
import { createMemoryStore } from "../../src/server/store/memory-store.ts";
import { alwaysThere } from "../../test/support/always-there.ts";
import { createFakeClock } from "../../test/support/fake-clock.ts";
import { limiterOf, rateOf } from "../../test/support/limiter-config.ts";
import { collect, tenure } from "../support/collect.ts";
import { threadTime } from "../support/thread-time.ts";
import type { Stretch } from "./keys.ts";

const SECOND = 1_000_000;
const HOUR = 3_600;
const A_SECOND = 10;
const IGNORE = () => {};

/** In stretches of so many hours. */
export async function liveADay(hours: number): Promise<readonly Stretch[]> {
  const clock = createFakeClock();
  const engine = createEmbeddedEngine({ clock, store: createMemoryStore(), machine: { maxWaiters: 1_000 } });
  const config = limiterOf({ maxConcurrent: 60, rate: rateOf(8, 20), ttl: 5 * SECOND, maxWait: 2 * SECOND });
  engine.submit({ kind: "create-limiter", config }, IGNORE, alwaysThere);
  const claims = [{ limiter: "db", key: "", permits: 1, tokens: 1, slots: false }];
  let asked = 0;

  function acquire(): void {
    asked += 1;
    const id = `id-${asked}`;
    // Every fourth is never released, and expires.
    const releases = asked % 4 !== 0;
    const stream = engine.openStream((news) => {
      if (news.kind === "granted") end();
      else if (news.kind === "refused") engine.closeStream(stream);
    }, alwaysThere);
    const end = () => {
      if (releases)
        engine.submit(
          { kind: "release", leaseId: id, workOutcome: "success", session: undefined },
          IGNORE,
          alwaysThere,
        );
      else engine.submit({ kind: "leave", id, stream, how: "lost" }, IGNORE, alwaysThere);
      engine.closeStream(stream);
    };
    engine.submit(
      {
        kind: "acquire",
        id,
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
      (answer) => {
        if (answer.kind === "granted") end();
        else if (answer.kind === "refused") engine.closeStream(stream);
      },
      alwaysThere,
    );
  }

  const stretches: Stretch[] = [];
  for (let from = 0; from < 24; from += hours) {
    tenure();
    const [begun, before] = [threadTime(), asked];
    for (let second = 0; second < hours * HOUR; second += 1) {
      for (let i = 0; i < A_SECOND; i += 1) acquire();
      clock.advance(SECOND);
    }
    const cost = (threadTime() - begun) / (asked - before);
    collect();
    stretches.push({ cost, heap: process.memoryUsage().heapUsed });
  }
  await engine.close();
  return stretches;
}
