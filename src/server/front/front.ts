/** A front: all that stands between the engines' ports and the ports that clients connect to. */

import type { StreamEnd } from "../service/rpc.ts";
import type { BoundAddress } from "../transport/port/options.ts";

/** Where a front listens. */
export interface FrontAddresses {
  readonly grpc: BoundAddress;
  readonly web: BoundAddress;
}

export interface Front {
  /** Opens both ports. Rejects with what is wrong, where, and what to do. */
  listen(): Promise<FrontAddresses>;
  /** Sets what health says. Until this is called the server does not serve. */
  setServing(serving: boolean): void;
  /**
   * Takes nothing new from here on, and tells every stream so. `endTime` (ms since 1970): until when leases may finish.
   * `waiterLeaves`: "lost" where the next start knows the places of waiters, which then come back to them.
   */
  drain(endTime: number, waiterLeaves: StreamEnd): void;
  /** Resolves with the number of calls without an answer. */
  callsUnderWay(): Promise<number>;
  /** Rejects pending and future calls with UNAVAILABLE, and resolves then. Their commands may still take effect. */
  sendAway(): Promise<void>;
  /** Takes no new connections and asks those that are open to go elsewhere; calls that are open go on. */
  closePorts(): void;
  /** Ends everything now. Resolves when no socket is left. */
  close(): Promise<void>;
}
