/** The client in Node: gRPC over HTTP/2. */

// Before anything else is loaded.
import "./supported-runtime.ts";

export { type ConnectOptions, connect, createClient } from "./connect-node.ts";
export * from "./public.ts";
