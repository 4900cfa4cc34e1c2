/** What the pages of these tests have as the global `backpressure`: the client for browsers, and gRPC-Web beside it. */

export { createClient as createRpcClient } from "@connectrpc/connect";
export { createGrpcWebTransport } from "@connectrpc/connect-web";
export * from "ggen-backpressure";
