/** The figures that this project wants to reach, and where each is found. */

export interface Goal {
  readonly what: string;
  /** The record and the figure in it; its target stands there. */
  readonly record: string;
  readonly figure: string;
}

export const GOALS: readonly Goal[] = [
  {
    what: "Session, 1,024 in flight: acquire or release decisions for a second of server CPU",
    record: "sessions",
    figure: "session, 1024 in flight: decisions for a second of server CPU",
  },
  { what: "— to the unary path", record: "sessions", figure: "— 1024 in flight, to unary" },
  { what: "Session, 64 in flight: to the unary path", record: "sessions", figure: "— 64 in flight, to unary" },
  {
    what: "Session, one in flight: latency, to a bare grpc-js stream that answers with the same messages",
    record: "sessions",
    figure: "one in flight: p50 of a pair, to grpc-js that answers with the messages",
  },
  {
    what: "Hand-off at half load, p50, to the bare echo's round trip",
    record: "hand-off",
    figure: "hand-off at half load, p50: to a bare round trip at half load",
  },
  {
    what: "Hand-off at half load, p99, to the bare echo's round trip",
    record: "hand-off",
    figure: "hand-off at half load, p99: to a bare round trip at half load",
  },
  {
    what: "Unary TryAcquire by server CPU, to bare grpc-js",
    record: "unary",
    figure: "TryAcquire: decided for a second of server CPU, to grpc-js that answers with the messages",
  },
  {
    what: "Unary TryAcquire + Release by server CPU, to bare grpc-js",
    record: "unary",
    figure: "TryAcquire + Release: decided for a second of server CPU, to grpc-js that answers with the messages",
  },
  {
    what: "Acquire streams that are opened, granted and cancelled, to a bare server stream",
    record: "unary",
    figure:
      "Acquire, granted and cancelled: decided for a second of server CPU, to grpc-js that answers with the messages",
  },
  {
    what: "With workers: CPU of the engine's thread for a unary decision",
    record: "workers",
    figure: "with a worker: CPU of the engine's thread for a decision",
  },
  {
    what: "With workers: CPU of all threads for a decision, to a single thread's",
    record: "workers",
    figure: "— CPU of all threads, to one thread alone",
  },
  {
    what: "In process: acquire + release at the machine",
    record: "in-process",
    figure: "TryAcquire + Release at the machine",
  },
  ...["p-limit", "async-sema", "cockatiel bulkhead", "bottleneck"].map((library) => ({
    what: `In process: createRateLimiter, a free permit taken and given back, cost to ${library}`,
    record: "in-process",
    figure: `a free permit is taken and given back: createRateLimiter, to ${library}`,
  })),
  { what: "Memory of a waiter in a session", record: "scale", figure: "a waiter in a session: memory" },
  { what: "Memory of a waiter on a stream", record: "scale", figure: "a waiter on a stream: memory" },
];
