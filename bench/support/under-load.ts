/** A server of its own process under a load of this one: what each decision costs both of them, round by round. */

import { type ClosedLoop, runClosed, type Work } from "../load/arrivals.ts";
import type { Latency } from "../load/latency.ts";
import type { MeasuredServer } from "../servers/measured.ts";
import type { Side } from "./in-turns.ts";

export interface UnderLoad {
  /** µs of the server's CPU, all threads, for an operation. */
  readonly side: Side;
  /** Of every round, with those of the warm-up. */
  readonly rounds: readonly LoadRound[];
}

export interface LoadRound {
  /** Operations a second. */
  readonly rate: number;
  /** µs of CPU for an operation. */
  readonly serverCpu: number;
  readonly clientCpu: number;
  /** Shares of the time for which either was at work. */
  readonly serverBusy: number;
  readonly clientBusy: number;
  readonly latency: Latency;
}

/** Throws where an operation fails, or is refused: the figures would be of something else. */
export function underLoad(server: MeasuredServer, work: Work, loop: Omit<ClosedLoop, "warmUp">): UnderLoad {
  const rounds: LoadRound[] = [];
  return {
    rounds,
    async side() {
      const before = await server.usage();
      const own = process.cpuUsage();
      const { operations, refused, failed, took, latency } = await runClosed(work, { ...loop, warmUp: 0 });
      const { user, system } = process.cpuUsage(own);
      const cpu = (await server.usage()).cpu - before.cpu;
      if (latency === undefined || refused + failed > 0) throw new Error(`${failed} failed, ${refused} were refused`);
      rounds.push({
        rate: (operations * 1_000) / took,
        serverCpu: cpu / operations,
        clientCpu: (user + system) / operations,
        serverBusy: cpu / (took * 1_000),
        clientBusy: (user + system) / (took * 1_000),
        latency,
      });
      return cpu / operations;
    },
  };
}
