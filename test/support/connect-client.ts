/** The contract over connect-node: Connect, gRPC-Web and gRPC, over HTTP/1.1 and HTTP/2. */

import { Agent } from "node:http";
import { create, type MessageShape } from "@bufbuild/protobuf";
import { ConnectError, type Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
  Http2SessionManager,
} from "@connectrpc/connect-node";
import { fromConnectError } from "./call-failure.ts";
import { type ContractClient, createStreamSink } from "./contract-client.ts";

export interface ConnectClientOptions {
  readonly protocol: "connect" | "connect-json" | "grpc-web" | "grpc";
  readonly httpVersion: "1.1" | "2";
}

/** `url`: http://host:port. */
export function createConnectClient(url: string, options: ConnectClientOptions): ContractClient {
  const { transport, close } = createTransport(url, options);
  const open = new Set<AbortController>();

  return {
    async call(method, request, { timeout, headers } = {}) {
      try {
        const answer = await transport.unary(method, undefined, timeout, headers, request);
        return answer.message;
      } catch (error) {
        throw fromConnectError(ConnectError.from(error));
      }
    },
    open(method, request, { timeout, headers } = {}) {
      const controller = new AbortController();
      const sink = createStreamSink<MessageShape<typeof method.output>>(() => controller.abort());
      open.add(controller);
      const read = async () => {
        const requests = once(create(method.input, request));
        const answer = await transport.stream(method, controller.signal, timeout, headers, requests);
        for await (const message of answer.message) sink.put(message);
      };
      read()
        .then(
          () => sink.end(undefined),
          (error) => sink.end(fromConnectError(ConnectError.from(error))),
        )
        .finally(() => open.delete(controller));
      return sink;
    },
    async [Symbol.asyncDispose]() {
      for (const controller of open) controller.abort();
      close();
    },
  };
}

function createTransport(
  baseUrl: string,
  { protocol, httpVersion }: ConnectClientOptions,
): { readonly transport: Transport; close(): void } {
  const create = {
    connect: createConnectTransport,
    "connect-json": createConnectTransport,
    "grpc-web": createGrpcWebTransport,
    grpc: createGrpcTransport,
  }[protocol];
  const useBinaryFormat = protocol !== "connect-json";
  if (httpVersion === "1.1") {
    const agent = new Agent({ keepAlive: true });
    const transport = create({ baseUrl, useBinaryFormat, httpVersion, nodeOptions: { agent } });
    return { transport, close: () => agent.destroy() };
  }
  const sessionManager = new Http2SessionManager(baseUrl);
  const transport = create({ baseUrl, useBinaryFormat, httpVersion, sessionManager });
  return { transport, close: () => sessionManager.abort() };
}

async function* once<T>(message: T): AsyncGenerator<T> {
  yield message;
}
