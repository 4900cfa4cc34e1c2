/** The limiters of the service, over its calls. */

import type { Limiter, LimiterChanges, LimiterEvent } from "../api/limiter.ts";
import type { Limiters } from "../api/limiters.ts";
import { LimiterService, type WatchLimitersResponse } from "../gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { keepWatching } from "../rpc/keep-watching.ts";
import type { CallPorts } from "../rpc/ports.ts";
import { createUnaryCalls } from "../rpc/unary-calls.ts";
import { leaseEndFromWire, leaseInfoFromWire, waiterInfoFromWire } from "../wire/lease.ts";
import { changesToWire, configToWire, limiterFromWire } from "../wire/limiter.ts";
import { sampleFromWire } from "../wire/sample.ts";
import { dateToTimestamp } from "../wire/time.ts";

export function createLimiters(ports: CallPorts): Limiters {
  const rpc = ports.calls.of(LimiterService);
  const { call, pages } = createUnaryCalls(ports);

  async function* watch({ names = [], signal }: WatchOptions): AsyncGenerator<LimiterEvent, void> {
    const messages = keepWatching(ports, signal, (rpcOptions) => rpc.watchLimiters({ names: [...names] }, rpcOptions));
    let snapshot: Limiter[] | undefined;
    for await (const { event, more } of messages) {
      const news = eventFromWire(event);
      if (news === undefined) continue;
      // Each connection begins with one; one of many limiters comes in several messages.
      if (news.kind === "snapshot") snapshot = [...news.limiters];
      else if (snapshot === undefined) yield news;
      else if (news.kind === "changed") snapshot.push(news.limiter);
      if (snapshot === undefined || more) continue;
      const limiters: readonly Limiter[] = snapshot;
      snapshot = undefined;
      yield { kind: "snapshot", limiters };
    }
  }

  async function update(name: string, changes: LimiterChanges, options?: UpdateOptions): Promise<Limiter> {
    const { limiter, paths } = changesToWire(changes);
    const request = { limiter: { ...limiter, name, etag: options?.etag }, updateMask: { paths } };
    return limiterFromWire((await call(options, (rpcOptions) => rpc.updateLimiter(request, rpcOptions))).limiter);
  }

  return {
    list: (options) =>
      pages(options, async (page, rpcOptions) => {
        const { limiters, nextPageToken } = await rpc.listLimiters(page, rpcOptions);
        return { items: limiters.map(limiterFromWire), nextPageToken };
      }),

    async get(name, options) {
      const request = { name, key: options?.key };
      return limiterFromWire((await call(options, (rpcOptions) => rpc.getLimiter(request, rpcOptions))).limiter);
    },

    async history(name, options) {
      const request = { name, fromTime: options?.from && dateToTimestamp(options.from) };
      return (await call(options, (rpcOptions) => rpc.getLimiterHistory(request, rpcOptions))).samples.map(
        sampleFromWire,
      );
    },

    async create(config, options) {
      const request = { limiter: configToWire(config) };
      return limiterFromWire((await call(options, (rpcOptions) => rpc.createLimiter(request, rpcOptions))).limiter);
    },

    update,

    async delete(name, options) {
      const request = { name, etag: options?.etag, force: options?.force };
      const { drainingLeases } = await call(options, (rpcOptions) => rpc.deleteLimiter(request, rpcOptions));
      return { drainingLeases: Number(drainingLeases) };
    },

    pause: (name, options) => update(name, { paused: true }, options),
    resume: (name, options) => update(name, { paused: false }, options),
    watch: (options = {}) => watch(options),

    leases: (options) =>
      pages(options, async (page, rpcOptions) => {
        const request = { ...page, limiter: options?.limiter, key: options?.key };
        const { leases, nextPageToken } = await rpc.listLeases(request, rpcOptions);
        return { items: leases.map(leaseInfoFromWire), nextPageToken };
      }),

    waiters: (limiter, options) =>
      pages(options, async (page, rpcOptions) => {
        const { waiters, nextPageToken } = await rpc.listWaiters({ ...page, limiter, key: options?.key }, rpcOptions);
        return { items: waiters.map(waiterInfoFromWire), nextPageToken };
      }),

    async revokeLease(leaseId, options) {
      const request = { leaseId, force: options?.force, message: options?.message };
      const { lease, end } = await call(options, (rpcOptions) => rpc.revokeLease(request, rpcOptions));
      if (lease !== undefined) return { kind: "revoking", lease: leaseInfoFromWire(lease) };
      return { kind: "ended", end: leaseEndFromWire(end) };
    },

    async cancelWaiter(waiterId, options) {
      await call(options, (rpcOptions) => rpc.cancelWaiter({ waiterId }, rpcOptions));
    },
  };
}

type WatchOptions = NonNullable<Parameters<Limiters["watch"]>[0]>;
type UpdateOptions = Parameters<Limiters["update"]>[2];

/** News that only a newer server has is left out. */
function eventFromWire(event: WatchLimitersResponse["event"]): LimiterEvent | undefined {
  switch (event.case) {
    case "snapshot":
      return { kind: "snapshot", limiters: event.value.limiters.map(limiterFromWire) };
    case "changed":
      return { kind: "changed", limiter: limiterFromWire(event.value) };
    case "removed":
      return { kind: "removed", name: event.value };
    default:
      return undefined;
  }
}
