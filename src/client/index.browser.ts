/** The client in browsers: Connect over `fetch`. The same as in Node but for the transport. */

// Before anything else is loaded.
import "./supported-runtime.ts";

export { type ConnectOptions, connect, createClient } from "./connect-browser.ts";
export * from "./public.ts";
