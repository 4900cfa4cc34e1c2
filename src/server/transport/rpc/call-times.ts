/** How long calls take, by method, protocol and status, and how many streams are under way: of one thread, since its start. */

import type { DescMethod } from "@bufbuild/protobuf";
import type { Clock } from "../../clock.ts";
import { boundsInSeconds, Histogram, type HistogramCounts } from "../../machine/structures/histogram.ts";
import { Code } from "../../wire/error-wire.ts";
import { nameOf } from "./method-paths.ts";

/** As OpenTelemetry's conventions name them; gRPC-Web is gRPC. */
export type RpcSystem = "grpc" | "connectrpc";

/** The status of a call: 0 is OK. */
export type StatusCode = Code | typeof OK;
export const OK = 0;

export interface CallTimes {
  /** Where the calls of a method over a protocol are counted; always the same. */
  of(method: DescMethod, system: RpcSystem): MethodTimes;
  /** Counts a call that was refused before it came to its method. Undefined: there is no such method. */
  refused(method: DescMethod | undefined, system: RpcSystem, code: StatusCode, arrivedAt: number): void;
  /** Returns what has been counted, in plain values. */
  read(): CallFigures;
}

/** A transport that counts its calls. */
export interface Timed {
  readonly times: CallTimes;
}

/** What was counted of calls. */
export interface CallFigures {
  readonly ended: readonly EndedCalls[];
  /** By the name of their method. */
  readonly streams: readonly (readonly [method: string, underWay: number])[];
}

export interface EndedCalls {
  readonly system: RpcSystem;
  /** `package.Service/Method`; of calls of no method that there is `_OTHER`, as the conventions have it. */
  readonly method: string;
  readonly code: StatusCode;
  readonly times: HistogramCounts;
}

/** The bounds of the conventions, and on both sides what grants and leases need. */
const BOUNDS = boundsInSeconds(
  ...[0.001, 0.0025],
  ...[0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10],
  ...[30, 60, 300, 3_600],
);

/** All methods that there are not: whatever clients ask for, it is one label. */
const OTHER = "_OTHER";

export function createCallTimes(clock: Clock): CallTimes {
  const systems = {
    grpc: new Map<DescMethod | undefined, MethodTimes>(),
    connectrpc: new Map<DescMethod | undefined, MethodTimes>(),
  };

  function of(method: DescMethod | undefined, system: RpcSystem): MethodTimes {
    let times = systems[system].get(method);
    if (times === undefined) {
      times = new MethodTimes(clock);
      systems[system].set(method, times);
    }
    return times;
  }

  return {
    of,
    refused: (method, system, code, arrivedAt) => of(method, system).took(clock.now() - arrivedAt, code),
    read() {
      const ended: EndedCalls[] = [];
      const streams = new Map<string, number>();
      for (const system of ["grpc", "connectrpc"] as const) {
        for (const [method, times] of systems[system]) {
          const name = method === undefined ? OTHER : nameOf(method);
          for (const [code, histogram] of times.byCode)
            ended.push({ system, method: name, code, times: histogram.copy() });
          if (method !== undefined && method.methodKind !== "unary")
            streams.set(name, (streams.get(name) ?? 0) + times.underWay);
        }
      }
      return { ended, streams: [...streams] };
    },
  };
}

/** Calls of one method over one protocol. */
export class MethodTimes {
  underWay = 0;
  /** A status has its histogram from its first call on. */
  readonly byCode = new Map<StatusCode, Histogram>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Returns the instant, for `ended`. */
  began(): number {
    this.underWay += 1;
    return this.#clock.now();
  }

  /** To be called once for each that began. */
  ended(beganAt: number, code: StatusCode): void {
    this.underWay -= 1;
    this.took(this.#clock.now() - beganAt, code);
  }

  /** `micros`: how long a call took that is over. */
  took(micros: number, code: StatusCode): void {
    let histogram = this.byCode.get(code);
    if (histogram === undefined) {
      histogram = new Histogram(BOUNDS);
      this.byCode.set(code, histogram);
    }
    histogram.record(micros);
  }
}

/** The name of a status as gRPC writes it; Connect has the same ones, in lower case. */
export function statusName(code: StatusCode): string {
  if (code === OK) return "OK";
  // Connect spells this one otherwise.
  if (code === Code.Canceled) return "CANCELLED";
  return (Code[code] ?? "UNKNOWN").replaceAll(/(?<=[a-z])(?=[A-Z])/g, "_").toUpperCase();
}
