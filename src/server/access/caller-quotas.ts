/** How many connections a caller may have, and how often it may ask, over all threads. */

import type { Socket } from "node:net";
import { type Refusal, refusal } from "../machine/reasons.ts";
import { type CountMemory, createCountMemory, createCounts } from "../shared/counts.ts";
import { SLOTS, type SlotName, slotNameOf, slotOf } from "../shared/named-slots.ts";
import { isFull, type Pace, paceOf, takeOne } from "../shared/paces.ts";
import type { Caller } from "./caller.ts";
import type { Bounds } from "./rights.ts";

export interface CallerQuotas {
  /** Counts a connection from the caller's first call on it until it closes. Returns why that is refused; undefined: it is not. */
  refusalOfConnection(caller: Caller, socket: Socket): Refusal | undefined;
  /** Counts a request. Returns why it is refused; undefined: it is not. */
  refusalOfRequest(caller: Caller, does: RequestKind): Refusal | undefined;
}

/**
 * A request that keeps or gives back what its caller has is refused later than others: a caller that asks too much must still be able to
 * have less.
 */
export type RequestKind = "asks" | "gives-back";

/** What all threads know of callers. */
export interface QuotaMemory {
  readonly connections: CountMemory;
  readonly requests: { readonly marks: Int32Array; readonly times: BigInt64Array };
}

export interface CallerQuotasOptions {
  readonly memory: QuotaMemory;
  /** Which of the threads this is. */
  readonly own: number;
  /** µs, the same in all threads. */
  readonly now: () => number;
  /** What bounds a caller; asked for anew each time, since bounds may change. */
  readonly boundsOf: (caller: Caller) => Pick<Bounds, "maxConnections" | "maxRequestsPerSecond">;
}

export function createQuotaMemory(threads: number): QuotaMemory {
  return {
    connections: createCountMemory(threads),
    requests: {
      marks: new Int32Array(new SharedArrayBuffer(SLOTS * Int32Array.BYTES_PER_ELEMENT)),
      times: new BigInt64Array(new SharedArrayBuffer(SLOTS * BigInt64Array.BYTES_PER_ELEMENT)),
    },
  };
}

export function createCallerQuotas({ memory, own, now, boundsOf }: CallerQuotasOptions): CallerQuotas {
  const connections = createCounts(memory.connections, own);
  const { marks, times } = memory.requests;
  const isAtRest = (slot: number) => isFull(times, slot, now());
  /** The callers of each connection, with what takes each back. */
  const known = new WeakMap<Socket, Map<string, () => void>>();
  const names = new WeakMap<Caller, SlotName>();

  function nameOf(caller: Caller): SlotName {
    let name = names.get(caller);
    if (name === undefined) {
      name = slotNameOf(caller.name);
      names.set(caller, name);
    }
    return name;
  }

  function callersOf(socket: Socket): Map<string, () => void> {
    const found = known.get(socket);
    if (found !== undefined) return found;
    const callers = new Map<string, () => void>();
    known.set(socket, callers);
    socket.once("close", () => {
      for (const takeBack of callers.values()) takeBack();
    });
    return callers;
  }

  return {
    refusalOfConnection(caller, socket) {
      const callers = callersOf(socket);
      if (callers.has(caller.name) || socket.destroyed) return undefined;
      const { maxConnections } = boundsOf(caller);
      const takeBack = connections.take(nameOf(caller), maxConnections ?? Number.POSITIVE_INFINITY);
      if (takeBack === undefined) return refusal("CALLER_QUOTA", { numbers: { maxConnections } });
      callers.set(caller.name, takeBack);
      return undefined;
    },
    refusalOfRequest(caller, does) {
      const { maxRequestsPerSecond } = boundsOf(caller);
      if (maxRequestsPerSecond === undefined) return undefined;
      const pace = pacesOf(maxRequestsPerSecond)[does];
      const retryAfter = takeOne(times, slotOf(nameOf(caller), marks, isAtRest), pace, now());
      if (retryAfter === 0) return undefined;
      return refusal("CALLER_QUOTA", { numbers: { maxRequestsPerSecond }, retryAfter });
    },
  };
}

/** At once there is room for a second's requests, and for as many more that give back. */
function pacesOf(rate: number): Record<RequestKind, Pace> {
  const found = PACES.get(rate);
  if (found !== undefined) return found;
  const paces = { asks: paceOf(rate, rate), "gives-back": paceOf(rate, 2 * rate) };
  if (PACES.size >= MOST_PACES) PACES.clear();
  PACES.set(rate, paces);
  return paces;
}

const PACES = new Map<number, Record<RequestKind, Pace>>();
const MOST_PACES = 100;
