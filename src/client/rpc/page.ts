/** A page that can go away, and what it says then. */

import type { DescMethodUnary, MessageInitShape } from "@bufbuild/protobuf";

/** A call to whose answer nothing listens. */
export interface LastWord<M extends DescMethodUnary = DescMethodUnary> {
  readonly method: M;
  readonly request: MessageInitShape<M["input"]>;
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
