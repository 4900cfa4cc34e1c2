/** Where in the caller's code something was done. */

/** Frames that are kept: enough to find the place, few enough to be cheap. */
const FRAMES = 4;

/**
 * Returns the stack of the caller of `below`, as text. It is written out at once: an engine that writes it lazily keeps the
 * callers' `this` until then, and a lease that hangs there could never be collected.
 */
export function callSite(below: (...args: never[]) => unknown): string {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = FRAMES;
  const site: { stack?: string } = typeof Error.captureStackTrace === "function" ? {} : new Error();
  Error.captureStackTrace?.(site, below);
  const stack = String(site.stack ?? "");
  Error.stackTraceLimit = stackTraceLimit;
  return stack.slice(stack.indexOf("\n") + 1);
}
