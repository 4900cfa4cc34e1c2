/** What it takes to explain a queue, over the calls of a connection. */

import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { LimiterService } from "../../client/index.ts";
import { createSystemClock } from "../../client/rpc/clock.ts";
import { leaseInfoFromWire, waiterInfoFromWire } from "../../client/wire/lease.ts";
import { limiterFromWire } from "../../client/wire/limiter.ts";
import type { LookPorts } from "../../explain/look.ts";
import type { Calls } from "../session/grpc-connection.ts";

/** Leases and waiters that are looked at: the longest held, and those that came first. */
const PAGE_SIZE = 100;

export function createLookPorts(calls: Pick<Calls<typeof LimiterService>, "unary">): LookPorts {
  return {
    async limiter(name, key) {
      const { limiter } = await calls.unary((rpc, options) => rpc.getLimiter({ name, key }, options));
      return limiterFromWire(limiter);
    },
    async leases(limiter, key) {
      const page = await calls.unary((rpc, options) => rpc.listLeases({ limiter, key, pageSize: PAGE_SIZE }, options));
      // An older server does not say when it read them.
      const readAt = page.readTime ? timestampDate(page.readTime).getTime() : createSystemClock().now().wall;
      return { leases: page.leases.map(leaseInfoFromWire), readAt };
    },
    async waiters(limiter, key) {
      const page = await calls.unary((rpc, options) => rpc.listWaiters({ limiter, key, pageSize: PAGE_SIZE }, options));
      return page.waiters.map(waiterInfoFromWire);
    },
  };
}
