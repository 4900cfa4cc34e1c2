/** What the parts of one client share. */

import type { Availability } from "./availability.ts";
import type { BoardCalls, Calls } from "./calls.ts";
import type { Clock } from "./clock.ts";
import type { HoldingPorts } from "./holding.ts";
import type { Holdings } from "./holdings.ts";
import type { LastWord } from "./last-word.ts";
import type { Random } from "./random.ts";
import type { Retries } from "./retry.ts";
import type { SharedPlaces, Streams } from "./streams.ts";
import type { Withdrawal } from "./withdrawing.ts";
import type { WorkHoldingPorts } from "./work-holding.ts";
import type { WorkHoldings } from "./work-holdings.ts";

export interface CallPorts {
  readonly availability: Availability;
  readonly calls: Calls;
  readonly clock: Clock;
  readonly retries: Retries;
  readonly streams: Streams;
  /** Aborts, with a `ClientClosedError`, when the client is closed. */
  readonly closing: AbortSignal;
}

export interface AskPorts extends CallPorts {
  readonly random: Random;
  /** Tells the server, in the background, that a request is given up: what it has led to, or will, is given back. */
  readonly withdraw: (requestId: string, how: { readonly withdrawal: Withdrawal; readonly isUrgent: boolean }) => void;
  /** What has to come to an end before the connections are closed: answers that may be grants, and what is given back. */
  readonly underway: Set<Promise<unknown>>;
  /** Resolves at once, but while the page is away: then when it has come back. Rejects with the signal's reason. */
  readonly untilShown: (signal: AbortSignal) => Promise<void> | undefined;
  /** For each request without a grant, what withdraws it when the page goes away: a grant may be on its way. */
  readonly ungranted: Set<() => LastWord>;
  /** What ends each call that waits for its grant, with an error. */
  readonly waits: Set<(reason: unknown) => void>;
}

export interface LeasePorts extends AskPorts {
  readonly holdings: Holdings;
  readonly sayReleased: HoldingPorts["sayReleased"];
}

/** What calls about boards need. */
export interface BoardPorts extends AskPorts {
  readonly calls: BoardCalls;
}

export interface WorkPorts extends BoardPorts {
  readonly works: WorkHoldings;
  readonly sayEnded: WorkHoldingPorts["sayEnded"];
}

/** What differs with the place where a client runs. */
export interface Platform {
  /** Tells the developer of a mistake; `stack` says where it was made. */
  warn(message: string, stack: string): void;
  /** Undefined where there are no pages. */
  readonly page: Page | undefined;
  /** Places for streams that are shared beyond this client; undefined: none are. */
  readonly places?: SharedPlaces | undefined;
}

/** A page that can go away. */
export interface Page {
  /** Calls back whenever the page goes away, for good or into the back/forward cache; returns what ends that. */
  onHide(listener: () => void): () => void;
  /** Calls back whenever the page has come back from the back/forward cache; returns what ends that. */
  onShow(listener: () => void): () => void;
  /** Says what gives back leases and cards by requests that outlive the page, as far as the browser lets them. */
  sendLast(words: readonly LastWord[]): void;
}
