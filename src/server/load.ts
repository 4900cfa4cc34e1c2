/** What the server carries now, and how it fares: a port between whoever measures it and whoever says it. */

export interface ServerLoad {
  /** Streaming calls under way over all threads, by `package.Service/Method`; only methods that have any. */
  readonly streams: readonly (readonly [method: string, underWay: number])[];
  /** Open over all threads, on each port. */
  readonly connections: { readonly grpc: number; readonly web: number };
  /** µs of the last minute, each of the thread where it was worst; `thread`: the one with the longest delay. */
  readonly loopDelay: {
    readonly p50: number;
    readonly p99: number;
    readonly longest: number;
    readonly thread: string;
  };
  /** Bytes, of all threads. */
  readonly heapUsed: number;
  readonly heapTotal: number;
  /** Bytes on the disk; undefined: nothing is kept, or the disk does not say. */
  readonly storeBytes: number | undefined;
}

/** Rejects where it cannot be had. */
export type ReadLoad = () => Promise<ServerLoad>;
