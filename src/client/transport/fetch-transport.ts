/**
 * Connect over `fetch`, for calls with one request, in its binary form. It is made of Connect's own parts for transports:
 * `createConnectTransport` has the JSON form as well, whose codecs a page would load and never use.
 */

import {
  type DescMessage,
  type DescMethod,
  type DescMethodStreaming,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import {
  appendHeaders,
  Code,
  ConnectError,
  type ContextValues,
  createContextValues,
  type StreamResponse,
  type Transport,
  type UnaryResponse,
} from "@connectrpc/connect";
import {
  compressedFlag,
  createEnvelopeReadableStream,
  createMethodUrl,
  encodeEnvelope,
  runStreamingCall,
  runUnaryCall,
} from "@connectrpc/connect/protocol";
import {
  endStreamFlag,
  endStreamFromJson,
  errorFromJson,
  requestHeader,
  trailerDemux,
  validateResponse,
} from "@connectrpc/connect/protocol-connect";

export interface FetchTransportOptions {
  readonly baseUrl: string;
  readonly fetch: typeof fetch;
}

const METHOD = "POST";

export function createFetchTransport({ baseUrl, fetch }: FetchTransportOptions): Transport {
  /** The part of a request that its message does not change. */
  function headOf(method: DescMethod, timeoutMs: number | undefined, given: HeadersInit | undefined) {
    const header = requestHeader(method.methodKind, true, timeoutMs, given, false);
    return { service: method.parent, requestMethod: METHOD, url: createMethodUrl(baseUrl, method), header };
  }

  function send(request: Sendable, body: Uint8Array<ArrayBuffer>): Promise<Response> {
    const { url, header: headers, signal } = request;
    return fetch(url, { method: METHOD, redirect: "error", headers, signal, body });
  }

  return {
    async unary<I extends DescMessage, O extends DescMessage>(
      method: DescMethodUnary<I, O>,
      signal: AbortSignal | undefined,
      timeoutMs: number | undefined,
      header: HeadersInit | undefined,
      message: MessageInitShape<I>,
      contextValues: ContextValues = createContextValues(),
    ): Promise<UnaryResponse<I, O>> {
      return runUnaryCall<I, O>({
        ...boundsOf(signal, timeoutMs),
        req: { ...headOf(method, timeoutMs, header), stream: false, method, contextValues, message },
        async next(request) {
          const response = await send(request, encode(method.input, request.message));
          const { isUnaryError, unaryError } = validateResponse("unary", true, response.status, response.headers);
          const [answerHeader, trailer] = trailerDemux(response.headers);
          if (isUnaryError)
            throw errorFromJson(await response.json(), appendHeaders(answerHeader, trailer), unaryError);
          const answer = decode(method.output, new Uint8Array(await response.arrayBuffer()));
          return { stream: false, service: method.parent, method, header: answerHeader, message: answer, trailer };
        },
      });
    },

    async stream<I extends DescMessage, O extends DescMessage>(
      method: DescMethodStreaming<I, O>,
      signal: AbortSignal | undefined,
      given: number | undefined,
      header: HeadersInit | undefined,
      message: AsyncIterable<MessageInitShape<I>>,
      contextValues: ContextValues = createContextValues(),
    ): Promise<StreamResponse<I, O>> {
      // Connect takes 0 for "none, whatever the default is".
      const timeoutMs = given === 0 ? undefined : given;
      return runStreamingCall<I, O>({
        ...boundsOf(signal, timeoutMs),
        req: { ...headOf(method, timeoutMs, header), stream: true, method, contextValues, message },
        async next(request) {
          const body = encodeEnvelope(0, encode(method.input, await onlyMessage(method, request.message)));
          const response = await send(request, body);
          validateResponse(method.methodKind, true, response.status, response.headers);
          if (response.body === null) throw new ConnectError("the response has no body", Code.Internal);
          const trailer = new Headers();
          const answers = readAnswers(method.output, response.body, { header: response.headers, trailer });
          return { ...request, header: response.headers, trailer, message: answers };
        },
      });
    },
  };
}

type Sendable = { readonly url: string; readonly header: Headers; readonly signal: AbortSignal };

/** Left out where there are none, as the library's types have it. */
function boundsOf(signal: AbortSignal | undefined, timeoutMs: number | undefined) {
  return { ...(signal && { signal }), ...(timeoutMs !== undefined && { timeoutMs }) };
}

/** A browser sends no more than it has when a call begins. */
async function onlyMessage<I extends DescMessage>(
  { methodKind }: DescMethodStreaming<I>,
  messages: AsyncIterable<MessageShape<I>>,
): Promise<MessageShape<I>> {
  if (methodKind !== "server_streaming") {
    throw new ConnectError("fetch cannot send a stream of messages", Code.Unimplemented);
  }
  for await (const message of messages) return message;
  throw new ConnectError("the call has no message", Code.Internal);
}

/** The answers of a stream. Its trailers are there when it has ended. */
async function* readAnswers<O extends DescMessage>(
  output: O,
  body: ReadableStream<Uint8Array>,
  { header, trailer }: { readonly header: Headers; readonly trailer: Headers },
): AsyncGenerator<MessageShape<O>, void> {
  const reader = createEnvelopeReadableStream(body).getReader();
  let hasEnded = false;
  for (;;) {
    const { done, value } = await reader.read().catch(brokenOff);
    if (done) break;
    if ((value.flags & compressedFlag) !== 0) {
      throw new ConnectError("the server has compressed its answer, though it was not asked to", Code.Internal);
    }
    if ((value.flags & endStreamFlag) === 0) {
      yield decode(output, value.data);
      continue;
    }
    hasEnded = true;
    const { metadata, error } = endStreamFromJson(value.data);
    if (error !== undefined) {
      header.forEach((text, name) => {
        error.metadata.append(name, text);
      });
      throw error;
    }
    metadata.forEach((text, name) => {
      trailer.set(name, text);
    });
  }
  if (!hasEnded) brokenOff();
}

/** A stream that ends in the middle was closed by whatever stands between. Connect calls half a message a wrong argument. */
function brokenOff(reason?: unknown): never {
  const isCutOff = reason === undefined || (reason instanceof ConnectError && reason.code === Code.InvalidArgument);
  throw isCutOff ? new ConnectError("the stream has broken off", Code.Unknown) : reason;
}

function encode<T extends DescMessage>(schema: T, message: MessageShape<T>): Uint8Array<ArrayBuffer> {
  return toBinary(schema, message);
}

function decode<T extends DescMessage>(schema: T, bytes: Uint8Array): MessageShape<T> {
  try {
    return fromBinary(schema, bytes);
  } catch (error) {
    throw new ConnectError(`the answer is no ${schema.typeName}: ${String(error)}`, Code.Internal);
  }
}
