/** What the parts of one client share. */

import type { Availability } from "./availability.ts";
import type { BoardCalls, Calls } from "./calls.ts";
import type { Clock } from "./clock.ts";
import type { HeadersOf } from "./headers.ts";
import type { LastWord } from "./page.ts";
import type { Random } from "./random.ts";
import type { Retries } from "./retry.ts";
import type { Streams } from "./stream-budget.ts";
import type { Visibility } from "./visibility.ts";
import type { Withdrawal } from "./withdrawal.ts";

export interface CallPorts {
  readonly availability: Availability;
  readonly calls: Calls;
  readonly clock: Clock;
  readonly retries: Retries;
  readonly streams: Streams;
  readonly visibility: Visibility;
  /** Those of every call; undefined: none. */
  readonly headers: HeadersOf | undefined;
  /** Aborts, with a `ClientClosedError`, when the client is closed. */
  readonly closing: AbortSignal;
}

export interface AskPorts extends CallPorts {
  readonly random: Random;
  /** Tells the server, in the background, that a request is given up: what it has led to, or will, is given back. */
  readonly withdraw: (requestId: string, how: { readonly withdrawal: Withdrawal; readonly isUrgent: boolean }) => void;
  /** What has to come to an end before the connections are closed: answers that may be grants, and what is given back. */
  readonly underway: Set<Promise<unknown>>;
  /** For each request without a grant, what withdraws it when the page goes away: a grant may be on its way. */
  readonly ungranted: Set<() => LastWord>;
}

/** What calls about boards need. */
export interface BoardPorts extends AskPorts {
  readonly calls: BoardCalls;
}
