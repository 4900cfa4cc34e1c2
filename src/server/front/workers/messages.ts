/** What is said between the main thread and a thread that carries connections, beside the link to the engines. */

import type { MessagePort } from "node:worker_threads";
import type { ServerSettings } from "../../config/settings.ts";
import type { LogFields } from "../../log.ts";
import type { ExpositionFormat } from "../../scrape.ts";
import type { StreamEnd } from "../../service/rpc.ts";
import type { SpanBatch } from "../../tracing/span-batches.ts";
import type { PlaceMemory } from "../../transport/port/connection-places.ts";
import type { TlsMaterial } from "../../transport/port/tls-material.ts";
import type { FrontListeners } from "../front.ts";
import type { SharedMemory } from "../shared-memory.ts";

/** A `ServerState` as it is sent. */
export interface SentState {
  readonly serving: boolean;
  readonly settings: ServerSettings;
  /** A GetConfigResponse. */
  readonly running: Uint8Array;
  /** With the key as text, since nothing else crosses. */
  readonly tls: (Omit<TlsMaterial, "key"> & { readonly key: string }) | undefined;
  /** Whether lines of the level `debug` are written. */
  readonly isDebugging: boolean;
}

/** What a thread is started with. */
export interface WorkerJob {
  /** To the engines. */
  readonly link: MessagePort;
  readonly secretKey: Uint8Array;
  readonly state: SentState;
  /** For each port, the connections of each thread. */
  readonly connections: { readonly grpc: PlaceMemory; readonly web: PlaceMemory };
  /** What it knows together with the other threads. */
  readonly memory: SharedMemory;
  /** Which of the threads it is, from 0. */
  readonly index: number;
  /** Whether its web port serves metrics. */
  readonly servesMetrics: boolean;
}

/** What a thread is asked, and answers when it is done. */
export type Question =
  | { readonly kind: "listen"; readonly at: FrontListeners; readonly isShared: boolean }
  /** `are-you-there`: nothing is done. */
  | { readonly kind: "are-you-there" | "count-calls" | "figures" | "send-away" | "close" };

export type ToWorker =
  | { readonly kind: "ask"; readonly id: number; readonly question: Question }
  | { readonly kind: "show"; readonly state: SentState }
  | { readonly kind: "drain"; readonly endTime: number; readonly waiterLeaves: StreamEnd }
  | { readonly kind: "close-ports" }
  /** It is to end itself. */
  | { readonly kind: "end" };

export type FromWorker =
  /** It can be asked. */
  | { readonly kind: "ready" }
  | { readonly kind: "answer"; readonly id: number; readonly value: unknown }
  | { readonly kind: "failed"; readonly id: number; readonly message: string }
  /** It ends because of an error that nothing has caught. */
  | { readonly kind: "broken"; readonly error: Error }
  /** Somebody reads metrics: the port asks for piece after piece. */
  | { readonly kind: "scrape"; readonly format: ExpositionFormat; readonly port: MessagePort }
  /** Somebody asks what the server carries: the port wants one answer. */
  | { readonly kind: "load"; readonly port: MessagePort }
  | LogLine
  /** Of sampled calls. */
  | { readonly kind: "spans"; readonly batch: SpanBatch };

/** A line for the one log of the server. */
export interface LogLine {
  readonly kind: "log";
  readonly level: "debug" | "info" | "warn" | "error";
  readonly fields: LogFields;
  readonly message: string;
}
