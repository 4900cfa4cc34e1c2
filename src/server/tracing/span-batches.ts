/** Hands the spans of one thread to another: those of one turn of the event loop together, and no more than so many. */

import type { Span } from "./span.ts";

export interface SpanBatch {
  readonly spans: readonly Span[];
  /** How many more there were. */
  readonly dropped: number;
}

/** Of one turn. A thread that ends more is not being sampled, it is being flooded. */
const MOST = 4_096;

/** `defer` calls back at the end of this turn. */
export function createSpanBatches(
  hand: (batch: SpanBatch) => void,
  defer: (callback: () => void) => void = setImmediate,
): (span: Span) => void {
  let spans: Span[] = [];
  let dropped = 0;

  function flush(): void {
    const batch = { spans, dropped };
    spans = [];
    dropped = 0;
    hand(batch);
  }

  return (span) => {
    if (spans.length >= MOST) {
      dropped += 1;
      return;
    }
    spans.push(span);
    if (spans.length === 1) defer(flush);
  };
}
