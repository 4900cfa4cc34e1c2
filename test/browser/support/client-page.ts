/** What the pages of these tests have as the global `backpressure`: the client for browsers, and gRPC-Web beside it. */

import { createClient as createRpcClient } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import * as client from "ggen-backpressure";

const page = { ...client, createRpcClient, createGrpcWebTransport };

Object.assign(globalThis, { backpressure: page });

export type ClientPage = typeof page;
