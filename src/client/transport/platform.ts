/** The place where a client runs, as Node or the page of a browser. */

import type { LastWord } from "../rpc/page.ts";
import type { SharedPlaces } from "../rpc/stream-budget.ts";

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
