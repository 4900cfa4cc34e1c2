/** A real server in this process, and a client that looks at it. */

import type { LeaseInfo, LimiterStatus } from "../../../src/client/api/limiter.ts";
import { type Client, connect } from "../../../src/client/index.ts";
import { startTestServer } from "../../support/server.ts";

export interface Service extends AsyncDisposable {
  readonly address: string;
  readonly client: Client;
  /** Ends the server at once, with all connections. */
  stop(): Promise<void>;
  /** Has the server finish what is held, and end. */
  drain(): Promise<void>;
  /** The limiter's leases. */
  leases(limiter: string): Promise<readonly LeaseInfo[]>;
  /** Resolves when that many wait for the limiter. */
  untilWaiting(limiter: string, count: number): Promise<void>;
  /** Resolves when that many leases hold something of the limiter. */
  untilHeld(limiter: string, count: number): Promise<void>;
}

/** `yaml`: its configuration, but for the ports. */
export async function startService(yaml = ""): Promise<Service> {
  const server = await startTestServer(yaml);
  const client = connect(server.address, { answerWithin: 30_000 });

  async function until(limiter: string, holds: (status: LimiterStatus) => boolean): Promise<void> {
    for await (const event of client.limiters.watch({ names: [limiter] })) {
      if (event.kind === "snapshot" && event.limiters.some(({ status }) => holds(status))) return;
      if (event.kind === "changed" && holds(event.limiter.status)) return;
    }
  }

  return {
    address: server.address,
    client,
    stop: server.stopNow,
    drain: server.stop,
    async leases(limiter) {
      const leases: LeaseInfo[] = [];
      for await (const lease of client.limiters.leases({ limiter })) leases.push(lease);
      return leases;
    },
    untilWaiting: (limiter, count) => until(limiter, ({ waiters }) => waiters === count),
    untilHeld: (limiter, count) => until(limiter, ({ leases }) => leases === count),
    async [Symbol.asyncDispose]() {
      await client.close();
      await server[Symbol.asyncDispose]();
    },
  };
}
