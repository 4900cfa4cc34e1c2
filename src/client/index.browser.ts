/** The client in browsers: Connect over `fetch`. The same as in Node but for the transport. */

// Before anything else is loaded.
import "./supported-runtime.ts";

// For users.

export { type ConnectOptions, connect, createClient } from "./connect-browser.ts";
export * from "./public.ts";

// For extensions of the client.

export * from "./for-extenders.ts";
