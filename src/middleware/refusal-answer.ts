/** What a request that was not admitted is answered over HTTP. */

import {
  AdmissionError,
  ClientClosedError,
  ServerUnavailableError,
  TooManyStreamsError,
} from "../client/api/errors.ts";
import type { Refusal } from "../client/api/refusal.ts";

/** A response that is ready to be sent. */
export interface RefusalAnswer {
  readonly status: 429 | 503;
  readonly headers: Readonly<Record<string, string>>;
  /** Problem details (RFC 9457). */
  readonly body: string;
}

interface No {
  readonly status: RefusalAnswer["status"];
  readonly reason: string;
  readonly retryAfterMs: number | undefined;
  readonly waitersAhead?: number | undefined;
}

/** Answers a refusal of `tryAcquire`. */
export function answerRefusal({ reason, retryAfterMs, waitersAhead }: Refusal): RefusalAnswer {
  return toAnswer({ status: 429, reason, retryAfterMs, waitersAhead });
}

/**
 * Answers an error of `acquire` or `tryAcquire`: 429 for a "not now", 503 for a server that cannot be asked. Undefined for
 * anything else: a limiter that does not exist or a claim that never fits is a mistake of the developer.
 *
 * @param waitersAhead the place that the request had in the queue at last.
 */
export function answerError(error: unknown, waitersAhead: number | undefined): RefusalAnswer | undefined {
  if (error instanceof AdmissionError) {
    const { reason, code, retryable, retryAfterMs } = error;
    if (code === "UNAVAILABLE") return toAnswer({ status: 503, reason, retryAfterMs });
    // What it waited for has ended, by an operator for one: another request may fare better.
    if (code === "ABORTED") return toAnswer({ status: 503, reason, retryAfterMs });
    return retryable ? toAnswer({ status: 429, reason, retryAfterMs, waitersAhead }) : undefined;
  }
  if (error instanceof ServerUnavailableError) {
    return toAnswer({ status: 503, reason: "SERVER_UNAVAILABLE", retryAfterMs: error.retryAfterMs });
  }
  if (error instanceof TooManyStreamsError || error instanceof ClientClosedError) {
    return toAnswer({ status: 503, reason: "SERVER_UNAVAILABLE", retryAfterMs: undefined });
  }
  return undefined;
}

const TITLES = { 429: "Too Many Requests", 503: "Service Unavailable" } as const;

/** Names no limiter: that is nothing for clients of the service that answers. */
function toAnswer({ status, reason, retryAfterMs = 0, waitersAhead }: No): RefusalAnswer {
  const seconds = Math.max(1, Math.ceil(retryAfterMs / 1000));
  const detail = status === 429 ? "As much is under way as may be" : "Nothing can be admitted now";
  const problem = {
    type: "about:blank",
    title: TITLES[status],
    status,
    detail: `${detail}; try again in ${seconds} s.`,
    reason,
    ...(waitersAhead === undefined ? {} : { waitersAhead }),
  };
  return {
    status,
    headers: {
      "content-type": "application/problem+json",
      "retry-after": `${seconds}`,
      "backpressure-reason": reason,
      ...(waitersAhead === undefined ? {} : { "backpressure-waiters-ahead": `${waitersAhead}` }),
    },
    body: JSON.stringify(problem),
  };
}
