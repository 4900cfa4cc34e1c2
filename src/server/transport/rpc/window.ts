/**
 * How many messages of a stream may be on their way out of this process before its reader counts as behind.
 *
 * Two: one that is being written and the next, so that what is decided in one step leaves in one step, and a thousand readers
 * that never read cost next to nothing.
 */
export const STREAM_WINDOW = 2;
