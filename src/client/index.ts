/** The client in Node: gRPC over HTTP/2. */

// Before anything else is loaded.
import "./supported-runtime.ts";

// For users.

export { type ConnectOptions, connect, createClient } from "./connect-node.ts";
export * from "./public.ts";

// For extensions of the client.

export * from "./for-extenders.ts";
