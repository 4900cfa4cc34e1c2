/** One limiter in full: why it stands as it does, who holds, who waits, and its last hour. */

import { type ReadonlySignal, signal } from "@preact/signals";
import type { LeaseInfo, LimiterSample, WaiterInfo } from "../../client/api/limiter.ts";
import { leaseInfoFromWire, waiterInfoFromWire } from "../../client/wire/lease.ts";
import { limiterFromWire } from "../../client/wire/limiter.ts";
import { sampleFromWire } from "../../client/wire/sample.ts";
import { type Explanation, explain } from "../../explain/explanation.ts";
import { type LookPorts, lookAt } from "../../explain/look.ts";
import type { Rpc } from "../api/rpc.ts";
import { createPoll } from "./poll.ts";

export interface LimiterDetail {
  /** Undefined: nothing has come yet, or the limiter is gone. */
  readonly reading: ReadonlySignal<LimiterReading | undefined>;
  readonly history: ReadonlySignal<readonly LimiterSample[]>;
  /** Something of the limiter has changed: reads anew, soon. */
  stir(): void;
  close(): void;
}

export interface LimiterReading {
  readonly explanation: Explanation;
  readonly leases: readonly LeaseInfo[];
  readonly waiters: readonly WaiterInfo[];
  /** ms by which the server's clock is ahead of the page's. */
  readonly ahead: number;
}

/** Of leases and of waiters that are shown; the others are counted. */
const MOST_LISTED = 200;
/** ms between two reads at least, and at most. */
const PACE = 400;
const PATIENCE = 5_000;
const HISTORY_INTERVAL = 15_000;

export function createLimiterDetail(rpc: Pick<Rpc, "limiters">, name: string): LimiterDetail {
  const reading = signal<LimiterReading | undefined>(undefined);
  const history = signal<readonly LimiterSample[]>([]);
  const ports = createLookPorts(rpc);

  async function read(): Promise<void> {
    const sights = await lookAt(ports, name, "");
    const { of } = sights;
    // Of a keyed limiter one key was looked at, and all are listed.
    const [leases, waiters] =
      of.key === ""
        ? [of.leases, of.waiters]
        : await Promise.all([ports.leases(name, "").then((page) => page.leases), ports.waiters(name, "")]);
    reading.value = { explanation: explain(sights), leases, waiters, ahead: of.readAt - Date.now() };
  }

  async function readHistory(): Promise<void> {
    const { samples } = await rpc.limiters.getLimiterHistory({ name });
    history.value = samples.map(sampleFromWire);
  }

  const poll = createPoll({ read, pace: PACE, patience: PATIENCE });
  const historyPoll = createPoll({ read: readHistory, pace: PACE, patience: HISTORY_INTERVAL });
  return {
    reading,
    history,
    stir: poll.stir,
    close() {
      poll.close();
      historyPoll.close();
    },
  };
}

function createLookPorts({ limiters }: Pick<Rpc, "limiters">): LookPorts {
  return {
    async limiter(name, key) {
      return limiterFromWire((await limiters.getLimiter({ name, key })).limiter);
    },
    async leases(limiter, key) {
      const { leases, readTime } = await limiters.listLeases({ limiter, key, pageSize: MOST_LISTED });
      const readAt = readTime === undefined ? Date.now() : Number(readTime.seconds) * 1000 + readTime.nanos / 1e6;
      return { leases: leases.map(leaseInfoFromWire), readAt };
    },
    async waiters(limiter, key) {
      return (await limiters.listWaiters({ limiter, key, pageSize: MOST_LISTED })).waiters.map(waiterInfoFromWire);
    },
  };
}
