/**
 * How many messages of a stream may be on their way out of this process before its reader counts as behind.
 *
 * Two for a stream that tells one caller how things stand: one that is being written and the next, so that what is
 * decided in one step leaves in one step, and a thousand readers that never read cost next to nothing. A stream in both
 * directions answers many requests at a time.
 */
export const SERVER_STREAM_WINDOW = 2;
const BIDI_WINDOW = 64;

/** `aside`: of health and reflection, whose answers are few and may be large. */
export function bidiWindow(aside: boolean): number {
  return aside ? SERVER_STREAM_WINDOW : BIDI_WINDOW;
}
