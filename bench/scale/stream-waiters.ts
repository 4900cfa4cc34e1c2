/** Thousands of Acquire streams that wait, over a few connections. */

import { connectLoad, type LoadConnection } from "../load/connection.ts";
import { ACQUIRE, acquireRequest } from "../load/verbs.ts";

const A_CONNECTION = 1_000;

/** Resolves when the server has said something on each stream. */
export async function waitOnStreams(address: string, limiter: string, waiters: number): Promise<Disposable> {
  const connections: LoadConnection[] = [];
  const request = acquireRequest({ limiter, key: "" });
  for (let placed = 0; placed < waiters; placed += A_CONNECTION) {
    const connection = await connectLoad(address);
    connections.push(connection);
    const places = Array.from(
      { length: Math.min(A_CONNECTION, waiters - placed) },
      () =>
        new Promise<void>((resolve) => {
          connection.stream(ACQUIRE, request, { message: () => resolve(), ended() {} });
        }),
    );
    await Promise.all(places);
  }
  return {
    [Symbol.dispose]() {
      for (const connection of connections) connection.close();
    },
  };
}
