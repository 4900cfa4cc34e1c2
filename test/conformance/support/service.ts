/** The suite's service, as the suite wants it: each request says how it is to be answered, and is echoed. */

import { setTimeout as sleep } from "node:timers/promises";
import type { Message } from "@bufbuild/protobuf";
import { anyPack, anyUnpack } from "@bufbuild/protobuf/wkt";
import {
  type BidiStream,
  type Call,
  createRpcService,
  type Handlers,
  type RpcService,
  type ServerStream,
} from "../../../src/server/service/rpc.ts";
import { WireError } from "../../../src/server/wire/error-wire.ts";
import type { Contract, StreamDefinition, StreamRequest, UnaryRequest, WireFailure } from "./contract.ts";
import { type CallMetadata, currentCall } from "./metadata.ts";

export function createConformanceService(contract: Contract): RpcService {
  const { service, registry, message, make } = contract;

  /** What was seen of a call. */
  function infoOf(call: Call, { requestHeaders, isGet }: CallMetadata, requests: readonly Message[]): Message {
    return make("ConformancePayload.RequestInfo", {
      requestHeaders,
      timeoutMs: call.timeout === undefined ? undefined : BigInt(Math.ceil(call.timeout / 1000)),
      requests: requests.map(pack),
      connectGetInfo: isGet ? {} : undefined,
    });
  }

  function pack(request: Message) {
    const desc = registry.getMessage(request.$typeName);
    if (desc === undefined) throw new Error(`${request.$typeName} is not in the suite's contract`);
    return anyPack(desc, request);
  }

  function failureOf({ code, message: text = "", details }: WireFailure, info?: Message): WireError {
    const given = details.map((detail) => {
      const value = anyUnpack(detail, registry);
      const desc = value && registry.getMessage(value.$typeName);
      if (value === undefined || desc === undefined)
        throw new Error(`${detail.typeUrl} is not in the suite's contract`);
      return { desc, value };
    });
    const echoed = info === undefined ? [] : [{ desc: message("ConformancePayload.RequestInfo"), value: info }];
    return new WireError(code, text, [...given, ...echoed]);
  }

  const unaryNamed = (answer: string) => async (request: UnaryRequest, call: Call) => {
    const metadata = observed();
    const info = infoOf(call, metadata, [request]);
    const { responseDefinition: wanted } = request;
    if (wanted === undefined) return make(answer, { payload: { requestInfo: info } });
    metadata.answerHeaders(wanted.responseHeaders);
    metadata.answerTrailers(wanted.responseTrailers);
    await sleep(wanted.responseDelayMs);
    if (wanted.response.case === "error") throw failureOf(wanted.response.value, info);
    return make(answer, { payload: { data: wanted.response.value, requestInfo: info } });
  };

  /** Says what is wanted; `infoFor` tells what the answer of a number carries besides. */
  async function say(
    stream: ServerStream<Message>,
    answer: string,
    wanted: StreamDefinition | undefined,
    { from = 0, infoFor }: { readonly from?: number; readonly infoFor: (index: number) => Message | undefined },
  ): Promise<void> {
    const { responseData = [], responseDelayMs = 0, error } = wanted ?? {};
    for (let index = from; index < responseData.length; index += 1) {
      await sleep(responseDelayMs);
      await sent(stream, make(answer, { payload: { data: responseData[index], requestInfo: infoFor(index) } }));
    }
    if (error === undefined) stream.end();
    else stream.fail(failureOf(error, responseData.length === 0 ? infoFor(0) : undefined));
  }

  function serverStream(request: StreamRequest, stream: ServerStream<Message>): void {
    const metadata = observed();
    const info = infoOf(stream, metadata, [request]);
    begin(metadata, request.responseDefinition);
    void say(stream, "ServerStreamResponse", request.responseDefinition, {
      infoFor: (index) => (index === 0 ? info : undefined),
    });
  }

  function bidiStream(stream: BidiStream<StreamRequest, Message>): void {
    const metadata = observed();
    let first: StreamRequest | undefined;
    let unsaid: Message[] = [];
    let said = 0;
    /** Each is worked on when the one before is. */
    let work = Promise.resolve();

    const infoFor = (index: number) => {
      const requests = unsaid;
      unsaid = [];
      if (index === 0) return infoOf(stream, metadata, requests);
      return first?.fullDuplex ? make("ConformancePayload.RequestInfo", { requests: requests.map(pack) }) : undefined;
    };

    async function hear(request: StreamRequest): Promise<void> {
      unsaid.push(request);
      if (first === undefined) {
        first = request;
        begin(metadata, request.responseDefinition);
      }
      const wanted = first.responseDefinition;
      const data = wanted?.responseData[said];
      if (!first.fullDuplex) return;
      if (data === undefined) {
        await finish();
        return;
      }
      await sleep(wanted?.responseDelayMs);
      await sent(stream, make("BidiStreamResponse", { payload: { data, requestInfo: infoFor(said) } }));
      said += 1;
    }

    const finish = () => say(stream, "BidiStreamResponse", first?.responseDefinition, { from: said, infoFor });

    stream.onMessage((request) => {
      work = work.then(() => hear(request));
    });
    stream.onHalfClose(() => {
      work = work.then(finish);
    });
  }

  const handlers = {
    unary: unaryNamed("UnaryResponse"),
    idempotentUnary: unaryNamed("IdempotentUnaryResponse"),
    serverStream,
    bidiStream,
  };
  // The suite's contract is known at run time alone.
  return createRpcService(service, handlers as unknown as Handlers<typeof service>);
}

function observed(): CallMetadata {
  const metadata = currentCall.getStore();
  if (metadata === undefined) throw new Error("the call was not seen coming: is metadata.ts preloaded?");
  return metadata;
}

function begin(metadata: CallMetadata, wanted: StreamDefinition | undefined): void {
  if (wanted === undefined) return;
  metadata.answerHeaders(wanted.responseHeaders);
  metadata.answerTrailers(wanted.responseTrailers);
}

/** Sends it, and waits for a reader that is behind. */
function sent(stream: ServerStream<Message>, answer: Message): Promise<void> {
  return new Promise((resolve) => {
    stream.onWritable(resolve);
    if (stream.send(answer)) resolve();
  });
}
