/**
 * Refuses a runtime that lacks what the client is built on, when the client is imported. Otherwise calls would fail one by
 * one, in words that name a missing function.
 */

/** What the client uses of the platform, with the oldest releases that have it: Node 22, and browsers of spring 2024. */
const isSupported =
  typeof Promise.withResolvers === "function" &&
  typeof AbortSignal.any === "function" &&
  typeof URL.parse === "function";

if (!isSupported) {
  const { process } = globalThis as { readonly process?: { readonly version?: string } };
  const runtime = process?.version === undefined ? "this browser" : `Node ${process.version}`;
  throw new Error(
    `ggen-backpressure does not run on ${runtime}: it needs Node 22 or later, ` +
      "or a browser with Promise.withResolvers, AbortSignal.any and URL.parse (Chrome 126, Firefox 126, Safari 18)",
  );
}
