/**
 * The transport of the client for browsers, as the suite's runner drives it: it reads calls from standard input, makes them, and
 * says on standard output what came of each. `node client.ts IMAGE`.
 */

import { setTimeout as sleep } from "node:timers/promises";
import {
  create,
  type DescMethod,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  fromBinary,
  type Message,
  toBinary,
} from "@bufbuild/protobuf";
import { type Any, anyUnpack } from "@bufbuild/protobuf/wkt";
import { ConnectError } from "@connectrpc/connect";
import { createFetchTransport } from "../../../src/client/transport/fetch-transport.ts";
import { networkFetch } from "../../../src/client/transport/network-fetch.ts";
import type { Header } from "./contract.ts";
import { readContract } from "./contract.ts";
import { readMessages, withLength } from "./messages.ts";

interface ClientCompatRequest extends Message {
  readonly testName: string;
  readonly host: string;
  readonly port: number;
  readonly method?: string;
  readonly requestHeaders: readonly Header[];
  readonly requestMessages: readonly Any[];
  readonly timeoutMs?: number;
  readonly requestDelayMs: number;
  readonly cancel?: {
    readonly cancelTiming:
      | { readonly case: "afterCloseSendMs" | "afterNumResponses"; readonly value: number }
      | { readonly case: "beforeCloseSend" | undefined };
  };
}

type Payload = Message & { readonly payload?: Message };

const [image = ""] = process.argv.slice(2);
const { registry, service, message } = readContract(image);
const responseDesc = message("ClientCompatResponse");
const payloadDesc = message("ConformancePayload");

const calls: Promise<void>[] = [];
for await (const bytes of readMessages(process.stdin)) {
  const request = fromBinary(message("ClientCompatRequest"), bytes) as ClientCompatRequest;
  calls.push(answer(request));
}
await Promise.all(calls);

async function answer(request: ClientCompatRequest): Promise<void> {
  const { testName } = request;
  const result = await make(request).then(
    (value) => ({ case: "response" as const, value }),
    (error: unknown) => ({ case: "error" as const, value: { message: String((error as Error)?.stack ?? error) } }),
  );
  process.stdout.write(withLength(toBinary(responseDesc, create(responseDesc, { testName, result }))));
}

/** Makes the call; rejects where that cannot be, as distinct from an error of the call. */
async function make(request: ClientCompatRequest) {
  const method = service.methods.find(({ name }) => name === request.method);
  const [packed] = request.requestMessages;
  const input = packed && anyUnpack(packed, registry);
  if (method === undefined || input === undefined) throw new Error(`${request.method} cannot be called`);
  const transport = createFetchTransport({ baseUrl: `http://${request.host}:${request.port}`, fetch: networkFetch });
  const { signal, cancelAfter } = cancelling(request);
  const headers = new Headers();
  for (const { name, value } of request.requestHeaders) for (const text of value) headers.append(name, text);
  await sleep(request.requestDelayMs);
  const payloads: Message[] = [];
  const seen = { responseHeaders: [] as Header[], responseTrailers: [] as Header[] };
  try {
    if (isUnary(method)) {
      const response = await transport.unary(method, signal, request.timeoutMs, headers, input);
      seen.responseHeaders = headersOf(response.header);
      seen.responseTrailers = headersOf(response.trailer);
      payloads.push(payloadOf(response.message as Payload));
    } else {
      const response = await transport.stream(
        method as DescMethodServerStreaming,
        signal,
        request.timeoutMs,
        headers,
        only(input),
      );
      seen.responseHeaders = headersOf(response.header);
      for await (const each of response.message) {
        payloads.push(payloadOf(each as Payload));
        cancelAfter(payloads.length);
      }
      seen.responseTrailers = headersOf(response.trailer);
    }
    return { ...seen, payloads };
  } catch (thrown) {
    const error = ConnectError.from(thrown);
    const metadata = headersOf(error.metadata);
    const details = error.details.flatMap((detail) =>
      "type" in detail ? [{ typeUrl: `type.googleapis.com/${detail.type}`, value: detail.value }] : [],
    );
    return {
      responseHeaders: seen.responseHeaders.length > 0 ? seen.responseHeaders : metadata,
      responseTrailers: metadata,
      payloads,
      error: { code: error.code, message: error.rawMessage, details },
    };
  }
}

function isUnary(method: DescMethod): method is DescMethodUnary {
  return method.methodKind === "unary";
}

async function* only(input: Message): AsyncGenerator<Message> {
  yield input;
}

function payloadOf({ payload = create(payloadDesc) }: Payload): Message {
  return payload;
}

function headersOf(headers: Headers): Header[] {
  return Array.from(headers, ([name, value]) => ({ name, value: value.split(", ") }));
}

function cancelling({ cancel }: ClientCompatRequest) {
  const controller = new AbortController();
  const timing = cancel?.cancelTiming;
  if (timing?.case === "afterCloseSendMs") setTimeout(() => controller.abort(), timing.value);
  if (cancel !== undefined && timing?.case === undefined) controller.abort();
  return {
    signal: controller.signal,
    cancelAfter(responses: number) {
      if (timing?.case === "afterNumResponses" && responses === timing.value) controller.abort();
    },
  };
}
