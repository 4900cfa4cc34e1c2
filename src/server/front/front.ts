/** A front: all that stands between the engines' ports and the ports that clients connect to. */

import type { IssuerKeys } from "../auth/issuer-keys.ts";
import type { ServerSettings } from "../config/settings.ts";
import type { GetConfigResponse } from "../gen/ggen/backpressure/config/v1/config_service_pb.ts";
import type { StreamEnd } from "../service/rpc.ts";
import type { BoundAddress } from "../transport/port/options.ts";
import type { TlsMaterial } from "../transport/port/tls-material.ts";
import type { CallFigures } from "../transport/rpc/call-times.ts";
import type { ThreadFigures } from "./thread-meter.ts";

/** Where a front listens. */
export interface FrontAddresses {
  readonly grpc: BoundAddress;
  readonly web: BoundAddress;
}

/** Where a front is to listen, as `host:port`; a port of 0 is one that is free. */
export interface FrontListeners {
  readonly grpc: string;
  readonly web: string;
}

/** What a front is to know of its server, and to say of it. */
export interface ServerState {
  /** What health says. */
  readonly serving: boolean;
  readonly settings: ServerSettings;
  /** What clients are shown of the configuration. */
  readonly running: GetConfigResponse;
  /** Undefined: both ports speak plain text. */
  readonly tls: TlsMaterial | undefined;
}

/** What a front has counted, over all its threads. */
export interface FrontFigures {
  readonly calls: CallFigures;
  /** Open now, on each port. */
  readonly connections: { readonly grpc: number; readonly web: number };
  /** How it stands with the keys of each issuer of tokens: each thread has its own, and the worst counts. */
  readonly keys: readonly IssuerKeys[];
  /** The threads that carry connections, by name; none where the main thread does. */
  readonly threads: readonly (readonly [name: string, figures: ThreadFigures])[];
}

export interface Front {
  /** Threads that carry the connections; 0: the main thread does. */
  readonly workers: number;
  /** Opens both ports. Rejects with what is wrong, where, and what to do. */
  listen(at: FrontListeners): Promise<FrontAddresses>;
  /** The state has changed. */
  show(state: ServerState): void;
  /**
   * Takes nothing new from here on, and tells every stream so. `endTime` (ms since 1970): until when leases may finish.
   * `waiterLeaves`: "lost" where the next start knows the places of waiters, which then come back to them.
   */
  drain(endTime: number, waiterLeaves: StreamEnd): void;
  /** Resolves with the number of calls without an answer. */
  callsUnderWay(): Promise<number>;
  /** Resolves with what was counted of calls and connections. A thread that does not answer in time is shown as it was last. */
  figures(): Promise<FrontFigures>;
  /** Rejects pending and future calls with UNAVAILABLE, and resolves then. Their commands may still take effect. */
  sendAway(): Promise<void>;
  /** Takes no new connections and asks those that are open to go elsewhere; calls that are open go on. */
  closePorts(): void;
  /** Ends everything now. Resolves when no socket is left. */
  close(): Promise<void>;
  /** The thread or the process is about to end. Ends everything where it stands; resolves when nothing of it runs any more. */
  abandon(): Promise<void>;
}
