/** All services of a server, over the engines' ports: what transports carry. */

import { createAccessList } from "../access/access-list.ts";
import type { Caller } from "../access/caller.ts";
import { type CallerQuotas, createCallerQuotas } from "../access/caller-quotas.ts";
import type { Rights } from "../access/rights.ts";
import type { Clock } from "../clock.ts";
import type { BoardEngine } from "../engine/board-engine.ts";
import type { Engine } from "../engine/engine.ts";
import { createIds } from "../ids.ts";
import type { ReadLoad } from "../load.ts";
import type { Log } from "../log.ts";
import { createAccessGuard } from "../service/access/guard.ts";
import { createAdmissionService } from "../service/admission-service.ts";
import { createBoardService } from "../service/board-service.ts";
import { type CallsUnderWay, createCallsUnderWay } from "../service/calls-under-way.ts";
import { createConfigService } from "../service/config-service.ts";
import { createHealth } from "../service/health.ts";
import { createHeartbeats } from "../service/heartbeats.ts";
import { createLimiterService } from "../service/limiter-service.ts";
import { logActs } from "../service/operator-acts.ts";
import type { Overloads } from "../service/overloads.ts";
import { createReflection } from "../service/reflection.ts";
import type { RpcService, StreamEnd } from "../service/rpc.ts";
import type { CommandTraces } from "../service/session/command-traces.ts";
import { createSessionService } from "../service/session/session-service.ts";
import type { ServerState } from "./front.ts";
import { createSampler } from "./sampler.ts";
import type { ThreadMemory } from "./shared-memory.ts";

export interface ServicesOptions {
  readonly clock: Clock;
  readonly engine: Engine;
  readonly boards: BoardEngine;
  /** 32 bytes under which the secrets of leases are made. */
  readonly secretKey: Uint8Array;
  readonly state: ServerState;
  /** What this thread knows together with others. */
  readonly shared: ThreadMemory;
  /** What the server carries now. */
  readonly load: ReadLoad;
  /** Writes what operators do. */
  readonly log: Log;
  /** Unset: no spans are made. */
  readonly commandTraces?: CommandTraces | undefined;
  /** Hears of each command of a session that is refused. */
  readonly onRefused?: Overloads["refused"] | undefined;
}

export interface Services {
  readonly services: readonly RpcService[];
  readonly calls: CallsUnderWay;
  /** What a caller may do. */
  rightsOf(caller: Caller): Rights;
  /** What a caller may have of connections, and how often it may ask. */
  readonly quotas: CallerQuotas;
  /** The state has changed. */
  show(state: ServerState): void;
  /** As of `Front`. */
  drain(endTime: number, waiterLeaves: StreamEnd): void;
}

export function createServices(options: ServicesOptions): Services {
  const { clock, log, engine, boards, secretKey, shared, load, commandTraces, onRefused } = options;
  let { state } = options;
  const ids = createIds(secretKey);
  const heartbeat = () => state.settings.liveness.heartbeat;
  const sampler = createSampler(clock);
  const guard = createAccessGuard({
    list: listOf(state),
    onDenied({ caller, method, peer, error: { message } }) {
      const more = sampler.take();
      // What becomes of a line is the owner's affair.
      if (more !== undefined)
        engine.note({ event: "denied", caller: caller.name, method, peer, message, more }).catch(() => {});
    },
  });
  const { rightsOf, commandCaller } = guard;
  const { own, now, memory } = shared;
  const quotas = createCallerQuotas({
    ...{ memory: memory.quotas, own, now },
    boundsOf(caller) {
      const [of, byDefault] = [rightsOf(caller).bounds, state.settings.callerBounds];
      return {
        maxConnections: of?.maxConnections ?? byDefault?.maxConnections,
        maxRequestsPerSecond: of?.maxRequestsPerSecond ?? byDefault?.maxRequestsPerSecond,
      };
    },
  });
  const admission = createAdmissionService({ clock, ids, engine, heartbeat, commandCaller });
  const board = createBoardService({ clock, ids, boards, heartbeat, rightsOf, commandCaller });
  const calls = createCallsUnderWay({ clock, bound: () => state.settings.drainTimeout });
  const sessions = createSessionService({
    clock,
    ids,
    engine,
    boards,
    heartbeats: createHeartbeats(clock, heartbeat),
    calls,
    maxCommands: () => state.settings.maxCommandsPerSession,
    commandCaller,
    guard,
    quotas,
    traces: commandTraces,
    onRefused,
  });
  const contract = [
    admission.service,
    createLimiterService({ clock, engine, rightsOf }),
    board.service,
    sessions.service,
    createConfigService({ clock, engine, boards, rightsOf, running: () => state.running, load }),
  ];
  const health = createHealth(contract.map(({ descriptor }) => descriptor.typeName));
  const all = [
    ...contract,
    health.service,
    ...createReflection(
      [...contract, health.service].map(({ descriptor }) => descriptor),
      clock,
    ),
  ];
  health.set(state.serving);

  return {
    services: all.map((service) => logActs(calls.watch(guard.guard(service)), log)),
    calls,
    rightsOf,
    quotas,
    show(next) {
      const before = state.settings.access;
      state = next;
      health.set(state.serving);
      // The same list as before would have each caller's rights compiled anew.
      if (JSON.stringify(before) !== JSON.stringify(state.settings.access)) guard.setList(listOf(state));
    },
    drain(endTime, waiterLeaves) {
      admission.drain(endTime, waiterLeaves);
      board.drain(endTime);
      sessions.drain(endTime, waiterLeaves);
    },
  };
}

function listOf({ settings: { access } }: ServerState) {
  return access && createAccessList(access);
}
