/** LimiterService: how limiters are made, changed and looked at. */

import { create } from "@bufbuild/protobuf";
import type { Caller } from "../access/caller.ts";
import { EVERYTHING, type Rights } from "../access/rights.ts";
import type { Clock } from "../clock.ts";
import type { Engine } from "../engine/engine.ts";
import type { Limiter as WireLimiter } from "../gen/ggen/backpressure/v1/limiter_pb.ts";
import {
  CancelWaiterResponseSchema,
  CreateLimiterResponseSchema,
  DeleteLimiterResponseSchema,
  GetLimiterHistoryResponseSchema,
  GetLimiterResponseSchema,
  LimiterService,
  ListLeasesResponseSchema,
  ListLimitersResponseSchema,
  ListWaitersResponseSchema,
  RevokeLeaseResponseSchema,
  UpdateLimiterResponseSchema,
} from "../gen/ggen/backpressure/v1/limiter_service_pb.ts";
import type { LimiterConfig } from "../machine/limiter/limiter.ts";
import type { LeaseView, LimiterView, WaiterView } from "../machine/limiter/view.ts";
import { refusal } from "../machine/reasons.ts";
import { invalidRequest, notAllowed, refusalError } from "../wire/error-wire.ts";
import { leaseEndToWire, leaseToWire, waiterToWire } from "../wire/lease-wire.ts";
import { applyUpdate } from "../wire/limiter-update.ts";
import { type LimiterReading, limiterConfig, limiterMessage } from "../wire/limiter-wire.ts";
import { NAME, pageFromWire, pageTokenToWire } from "../wire/page-wire.ts";
import { sampleMessage } from "../wire/sample-wire.ts";
import { msToTimestamp, timestampToMs } from "../wire/time-wire.ts";
import { asSeen, mayAllOf, sees, visiblePage } from "./access/visible.ts";
import { ask } from "./ask.ts";
import { revisionOf } from "./etag.ts";
import { watchLimiters } from "./limiter-watching.ts";
import { createRpcService, type RpcService } from "./rpc.ts";

export interface LimiterServiceOptions {
  readonly clock: Clock;
  readonly engine: Engine;
  /** What callers may do, as of now. Unset: everything. */
  readonly rightsOf?: (caller: Caller) => Rights;
}

/** After which lease, or waiter, a page goes on. */
const NUMBER = /^[1-9][0-9]{0,15}$/;

export function createLimiterService({
  clock,
  engine,
  rightsOf = () => EVERYTHING,
}: LimiterServiceOptions): RpcService {
  const toWire = (view: LimiterView) => limiterMessage(view);
  const readTime = () => msToTimestamp(clock.wallTime(clock.now()));

  async function read(name: string, key = ""): Promise<LimiterView> {
    const view = await engine.limiter(name, key);
    if (view === undefined) throw refusalError(refusal("LIMITER_NOT_FOUND", { limiter: name }));
    return view;
  }

  /** Changes a limiter as it stands, again if another call was faster, unless the caller has named what it must be. */
  async function update(message: WireLimiter, paths: readonly string[], caller: string): Promise<LimiterView> {
    const { name, etag } = message;
    for (;;) {
      const view = await read(name);
      const config = valid(applyUpdate(view.config, message, paths));
      const revision = revisionOf(etag) ?? view.revision;
      const outcome = await ask(engine, { kind: "update-limiter", config, revision, caller });
      if (outcome.kind === "limiter") return outcome.limiter;
      if (outcome.reason !== "ETAG_MISMATCH" || etag !== "") throw refusalError(outcome);
    }
  }

  /** What is named by an id alone: without a right to all that it claims it is as if it were not there. */
  async function requireOperator(
    caller: Caller,
    resource: string,
    find: () => Promise<LeaseView | WaiterView | undefined>,
  ): Promise<void> {
    const rights = rightsOf(caller);
    if (rights.mayAll("operate")) return;
    const found = await find();
    if (found === undefined || !mayAllOf(rights, "operate", found)) throw notAllowed("operate", resource);
  }

  return createRpcService(LimiterService, {
    async createLimiter({ limiter }, { caller }) {
      const config = valid(limiterConfig(limiter as WireLimiter));
      const outcome = await ask(engine, { kind: "create-limiter", config, caller: caller.name });
      if (outcome.kind === "refused") throw refusalError(outcome);
      return create(CreateLimiterResponseSchema, { limiter: toWire(outcome.limiter) });
    },

    async getLimiter({ name, key }, { caller }) {
      const view = await read(name);
      if (key !== "" && !view.config.keyed) {
        throw refusalError(refusal("KEY_NOT_ALLOWED", { limiter: name, key }));
      }
      return create(GetLimiterResponseSchema, {
        limiter: toWire(asSeen(rightsOf(caller), key === "" ? view : await read(name, key))),
      });
    },

    async listLimiters(request, { caller }) {
      const rights = rightsOf(caller);
      const { after, limit } = pageFromWire(request, NAME);
      const page = await visiblePage(
        after,
        (from) => engine.limiters({ after: from, limit }),
        (view) => sees(rights, view),
        ({ config }) => config.name,
      );
      return create(ListLimitersResponseSchema, {
        limiters: page.items.map((view) => toWire(asSeen(rights, view))),
        nextPageToken: pageTokenToWire(page.next),
      });
    },

    async updateLimiter({ limiter, updateMask }, { caller }) {
      const view = await update(limiter as WireLimiter, updateMask?.paths ?? [], caller.name);
      return create(UpdateLimiterResponseSchema, { limiter: toWire(view) });
    },

    async deleteLimiter({ name, etag, force }, { caller }) {
      const by = { caller: caller.name };
      const outcome = await ask(engine, { kind: "delete-limiter", name, revision: revisionOf(etag), force, ...by });
      if (outcome.kind === "refused") throw refusalError(outcome);
      return create(DeleteLimiterResponseSchema, { drainingLeases: BigInt(outcome.drainingLeases) });
    },

    watchLimiters({ names }, stream) {
      watchLimiters({ clock, engine, rights: () => rightsOf(stream.caller) }, stream, names);
    },

    async getLimiterHistory({ name, fromTime }) {
      const samples = await engine.history(name, fromTime === undefined ? 0 : timestampToMs(fromTime));
      if (samples === undefined) throw refusalError(refusal("LIMITER_NOT_FOUND", { limiter: name }));
      return create(GetLimiterHistoryResponseSchema, { samples: samples.map(sampleMessage) });
    },

    async listLeases(request, { caller }) {
      const { limiter, key } = request;
      if (key !== "" && limiter === "") {
        throw invalidRequest([
          { field: "limiter", reason: "limiter", description: "is required where a key is given" },
        ]);
      }
      const rights = rightsOf(caller);
      const { after, limit } = pageFromWire(request, NUMBER);
      const page = await visiblePage(
        after,
        (from) => engine.leases({ limiter, key, after: from, limit }),
        (lease) => mayAllOf(rights, "observe", lease),
      );
      return create(ListLeasesResponseSchema, {
        leases: page.items.map((lease) => leaseToWire(lease)),
        nextPageToken: pageTokenToWire(page.next),
        readTime: readTime(),
      });
    },

    async listWaiters(request, { caller }) {
      const { limiter, key } = request;
      const rights = rightsOf(caller);
      const { after, limit } = pageFromWire(request, NUMBER);
      const page = await visiblePage(
        after,
        async (from) => {
          const read = await engine.waiters({ limiter, key, after: from, limit });
          if (read === undefined) throw refusalError(refusal("LIMITER_NOT_FOUND", { limiter }));
          return read;
        },
        (waiter) => mayAllOf(rights, "observe", waiter),
      );
      return create(ListWaitersResponseSchema, {
        waiters: page.items.map((waiter) => waiterToWire(waiter)),
        nextPageToken: pageTokenToWire(page.next),
        readTime: readTime(),
      });
    },

    async revokeLease({ leaseId, force, message }, { caller }) {
      await requireOperator(caller, `lease/${leaseId}`, () => engine.lease(leaseId));
      const outcome = await ask(engine, { kind: "revoke", leaseId, force, message, caller: caller.name });
      switch (outcome.kind) {
        case "refused":
          throw refusalError(outcome);
        case "ended":
          return create(RevokeLeaseResponseSchema, { end: leaseEndToWire(outcome.end) });
        case "revoking":
          return create(RevokeLeaseResponseSchema, { lease: leaseToWire(outcome.lease) });
      }
    },

    async cancelWaiter({ waiterId }, { caller }) {
      await requireOperator(caller, `waiter/${waiterId}`, () => engine.waiter(waiterId));
      const outcome = await ask(engine, { kind: "cancel-waiter", waiterId, caller: caller.name });
      if (outcome.kind === "refused") throw refusalError(outcome);
      return create(CancelWaiterResponseSchema);
    },
  });
}

function valid(reading: LimiterReading): LimiterConfig {
  if (reading.kind === "invalid") throw invalidRequest(reading.violations);
  return reading.config;
}
