/** The place where a client runs, as Node or the page of a browser. */

import type { Page } from "../rpc/page.ts";
import type { SharedPlaces } from "../rpc/stream-budget.ts";

/** What differs with the place where a client runs. */
export interface Platform {
  /** Tells the developer of a mistake; `stack` says where it was made. */
  warn(message: string, stack: string): void;
  /** What to do about a connection that failed, where that is known. */
  readonly adviceOf?: ((thrown: unknown) => string | undefined) | undefined;
  /** Undefined where there are no pages. */
  readonly page: Page | undefined;
  /** Places for streams that are shared beyond this client; undefined: none are. */
  readonly places?: SharedPlaces | undefined;
}
