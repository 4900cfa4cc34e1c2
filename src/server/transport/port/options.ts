/** What every transport is made of, and what it promises to the code that starts and stops the server. */

import type { Authenticator } from "../../access/authenticator.ts";
import type { CallerQuotas } from "../../access/caller-quotas.ts";
import type { Clock } from "../../clock.ts";
import type { Log } from "../../log.ts";
import type { CallSpans, RpcService } from "../../service/rpc.ts";
import type { WireError } from "../../wire/error-wire.ts";
import type { AddressPlaces } from "./address-places.ts";
import type { ConnectionPlaces } from "./connection-places.ts";
import type { TlsMaterial } from "./tls-material.ts";

/** What a port will bear. */
export interface TransportLimits {
  /** Bytes of one message, after decompression. */
  readonly maxMessageBytes: number;
  /** Streams of one connection that wait, hold or watch; an HTTP/1.1 connection carries one call at a time anyway. */
  readonly maxStreamsPerConnection: number;
  /** Connections open at once; one more is closed as soon as it comes. */
  readonly maxConnections: number;
  /** Bytes of the headers of one call, each counted as HTTP/2 does: name, value and 32. */
  readonly maxMetadataBytes: number;
}

/** How a port notices that the other end is gone, in µs. */
export interface Liveness {
  /** How often an HTTP/2 connection is pinged. */
  readonly keepaliveTime: number;
  /** How long it may take to answer before it counts as lost. */
  readonly keepaliveTimeout: number;
}

export interface TransportOptions {
  readonly services: readonly RpcService[];
  /** Unset: no spans are made. */
  readonly spans?: CallSpans | undefined;
  /** Hears of each call that is refused with an error of the contract. */
  readonly onRefused?: ((error: WireError) => void) | undefined;
  /** Of this port: how many connections there may be is counted here. */
  readonly places: ConnectionPlaces;
  /** Of all ports: how many connections there may be from one address is counted here; unset: any number. */
  readonly addresses?: AddressPlaces | undefined;
  readonly limits: TransportLimits;
  readonly liveness: Liveness;
  /** Tells who calls; undefined: everybody is anonymous. */
  readonly authenticator?: Authenticator | undefined;
  /** Bounds what one caller may have; unset: it may have any amount. */
  readonly quotas?: CallerQuotas | undefined;
  /** Undefined: the port speaks plain text. */
  readonly tls?: TlsMaterial | undefined;
  readonly log: Log;
  readonly clock: Clock;
}

export interface BoundAddress {
  readonly host: string;
  readonly port: number;
}

/** One port. `drain` and `close` may be called any number of times, and before `listen`. */
export interface Transport {
  /**
   * Opens the port: `127.0.0.1:50051`, `[::1]:0`. Rejects with what is wrong, where, and what to do. `isShared`: other threads
   * may open the same port, where the system can share one (`port-sharing.ts`).
   */
  listen(address: string, isShared?: boolean): Promise<BoundAddress>;
  /** Speaks TLS with other material from the next connection on; those that are open go on. Throws, and changes nothing, where it is bad. */
  renew(material: TlsMaterial): void;
  /** Takes no new connections and asks those that are open to go elsewhere; calls that are open go on. */
  drain(): void;
  /** Ends everything now. Resolves when no socket is left. */
  close(): Promise<void>;
  /** The same without last words: from here on nothing is read or written. */
  destroy(): Promise<void>;
}
