/** What the server says of its limiters, for as long as it is wanted, over whatever becomes of the connection. */

import type { WatchLimitersResponse } from "../../client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import { LimiterService } from "../../client/gen/ggen/backpressure/v1/limiter_service_pb.ts";
import type { Clock } from "../../client/rpc/clock.ts";
import { sleep } from "../../client/rpc/retry.ts";
import { openCalls } from "../session/connection.ts";

export interface FeedOptions {
  readonly address: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly onNews: (news: WatchLimitersResponse) => void;
  /** Called when the stream has ended, with why, and again when an attempt to open another has failed. */
  readonly onLost: (error: unknown) => void;
}

/** ms between two attempts to reach a server that was lost. */
const FIRST_DELAY = 250;
const LONGEST_DELAY = 3_000;

/** Reads until the signal aborts. Rejects if the server cannot be reached at first. */
export async function feed({ address, clock, signal, onNews, onLost }: FeedOptions): Promise<void> {
  let wasReached = false;
  let delay = FIRST_DELAY;
  while (!signal.aborted) {
    try {
      using calls = await openCalls(LimiterService, address);
      for await (const news of calls.stream((rpc) => rpc.watchLimiters({ names: [] }, { signal }), signal)) {
        wasReached = true;
        delay = FIRST_DELAY;
        onNews(news);
      }
      if (!signal.aborted) onLost(undefined);
    } catch (error) {
      if (!wasReached) throw error;
      onLost(error);
    }
    await sleep(clock, delay, signal).catch(() => {});
    delay = Math.min(LONGEST_DELAY, delay * 2);
  }
}
