/** One request to the web port: an RPC by connect-node, a page, or nothing that is served here. */

import { createConnectRouter, createContextValues } from "@connectrpc/connect";
import type { UniversalHandler, UniversalServerResponse } from "@connectrpc/connect/protocol";
import type { Identity } from "../../access/authenticator.ts";
import type { Caller } from "../../access/caller.ts";
import type { Clock } from "../../clock.ts";
import type { Log } from "../../log.ts";
import type { RpcService } from "../../service/rpc.ts";
import { unauthenticated, type WireError } from "../../wire/error-wire.ts";
import type { ReaderGuard } from "../http2/reader-guard.ts";
import type { Http2Sessions } from "../http2/sessions.ts";
import type { TransportLimits } from "../port/options.ts";
import type { Timed } from "../rpc/call-times.ts";
import type { CallerCheck } from "../rpc/caller-check.ts";
import type { Dispatcher, RefusedCall } from "../rpc/dispatch.ts";
import { clampConnectTimeout, clampGrpcTimeout } from "../rpc/timeouts.ts";
import type { Cors } from "./cors.ts";
import {
  createWebExchange,
  exchangeKey,
  socketOf,
  type WebExchange,
  type WebRequest,
  type WebResponse,
} from "./exchange.ts";
import { isGrpcOverHttp10, refuseGrpcOverHttp10 } from "./http-version.ts";
import { loginOf } from "./login-cookie.ts";
import type { LoginPage } from "./login-page.ts";
import { addRoutes } from "./methods.ts";
import type { PageGuard, RequestFacts } from "./page-guard.ts";
import { refuseWebCall } from "./refuse.ts";
import { readRest } from "./request-rest.ts";
import { codeOfRefusal, systemAsked } from "./status.ts";
import { answerUnknown } from "./unknown.ts";

/** Serves a request that is no RPC; false: it has nothing at this path, and has touched nothing. */
export type Pages = (request: WebRequest, response: WebResponse) => boolean;

/** A page that only some may read. */
export interface GuardedPage {
  isAskedFor(request: WebRequest): boolean;
  /** Answers whoever asks. */
  answer(request: WebRequest, response: WebResponse, caller: Caller): void;
}

export interface WebHandlerOptions extends Timed {
  readonly services: readonly RpcService[];
  readonly dispatcher: Dispatcher;
  readonly sessions: Http2Sessions;
  readonly readers: ReaderGuard;
  readonly callers: CallerCheck;
  readonly limits: TransportLimits;
  readonly cors: Cors;
  readonly pageGuard: PageGuard;
  readonly pages: Pages;
  /** Asked before the other pages are. */
  readonly guardedPage: GuardedPage | undefined;
  readonly loginPage: LoginPage;
  readonly log: Log;
  readonly clock: Clock;
}

const NO_CALL = "the request is answered before it is a call";

/** Whatever comes, it does not throw. */
export function createWebHandler(options: WebHandlerOptions): (request: WebRequest, response: WebResponse) => void {
  const { services, dispatcher, times, sessions, readers, callers, limits, log, clock } = options;
  const { cors, pageGuard, pages, guardedPage, loginPage } = options;
  const router = createConnectRouter({
    readMaxBytes: limits.maxMessageBytes,
    // Messages are small, and what is not decompressed cannot be a bomb.
    acceptCompression: [],
    binaryOptions: { readUnknownFields: false },
    requestGate: ({ values, signal }) => {
      const exchange = values.get(exchangeKey);
      if (exchange !== undefined) exchange.ending = signal;
    },
  });
  for (const service of services) addRoutes(router, service, { dispatcher, times });
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));

  // HTTP/2 ends the stream alone, and `request-guard.ts` sees to that.
  const restOf = (request: WebRequest, response: WebResponse) =>
    "stream" in request ? undefined : readRest(request, response, clock);

  const factsOf = (request: WebRequest): RequestFacts => ({
    socket: socketOf(request, sessions),
    showsToken: !callers.isOpen && request.headers.authorization !== undefined,
  });

  return (request, response) => {
    const onFault = (err: unknown) => {
      if (response.closed || response.destroyed) return;
      log.error(
        { event: "request-fault", err, url: request.url },
        "a web request failed for a reason that is no caller's",
      );
      if (response.headersSent) response.destroy();
      else answerStatus(response, 500);
    };
    const url = request.url ?? "/";
    const [path = ""] = url.split("?", 1);
    const handler = handlers.get(path);
    const arrivedAt = clock.now();
    const refused = (no: RefusedCall) =>
      dispatcher.refusedEarly({ path, system: systemAsked(request.headers["content-type"]), arrivedAt }, no);
    const tooOld = handler !== undefined && isGrpcOverHttp10(request);
    const isLogin = loginPage.isAskedFor(request);
    const identify = () => {
      const { authorization } = request.headers;
      return callers.identify(socketOf(request, sessions), path, { authorization, login: loginOf(request) });
    };
    const respond = () => {
      if (cors.handle(request, response)) return undefined;
      const isGuarded = handler !== undefined || isLogin || guardedPage?.isAskedFor(request);
      const foreign = isGuarded ? pageGuard.refusalOf(request, factsOf(request)) : undefined;
      if (foreign !== undefined) return refuse(foreign);
      if (handler && !tooOld) {
        const identity = identify();
        if (identity instanceof Promise) return identity.then((caller) => letIn(handler, caller));
        return letIn(handler, identity);
      }
      if (isLogin) return loginPage.answer(request, response, { socket: socketOf(request, sessions), identify });
      if (guardedPage?.isAskedFor(request)) return showGuarded(guardedPage);
      if (!tooOld && pages(request, response)) return undefined;
      const refusal = tooOld ? refuseGrpcOverHttp10(response) : answerUnknown(request, response, services);
      if (refusal !== undefined) refused(refusal);
      return undefined;
    };
    const refusalOf = (caller: Identity) =>
      caller === undefined ? unauthenticated() : callers.refusalOf(caller, socketOf(request, sessions), path);
    const showGuarded = async (page: GuardedPage) => {
      const caller = await identify();
      const error = refusalOf(caller);
      if (error !== undefined) refuseWebCall(request, response, error);
      else if (caller !== undefined) page.answer(request, response, caller);
    };
    const refuse = async (error: WireError) => {
      await restOf(request, response);
      refuseWebCall(request, response, error);
      if (handler !== undefined) refused(error);
    };
    const letIn = async (handler: UniversalHandler, caller: Identity) => {
      const error = refusalOf(caller);
      if (caller !== undefined && error === undefined) {
        return serve(handler, url, createWebExchange({ request, response, sessions, readers, caller, callers, clock }));
      }
      return refuse(error ?? unauthenticated());
    };
    const serve = async (handler: UniversalHandler, url: string, exchange: WebExchange) => {
      const answer = await call(handler, url, exchange, request);
      await restOf(request, response);
      await writeAnswer(answer, exchange, response);
      if (!exchange.begun && !exchange.signal.aborted) {
        refused({ code: codeOfRefusal(exchange), status: answer.status, message: NO_CALL });
      }
    };
    try {
      // What is no call is answered whatever its body says.
      const isCall = isLogin || (handler && !tooOld && request.method !== "OPTIONS");
      const rest = isCall ? undefined : restOf(request, response);
      (rest ? rest.then(respond) : respond())?.catch(onFault);
    } catch (thrown) {
      onFault(thrown);
    }
  };
}

function call(
  handler: UniversalHandler,
  url: string,
  exchange: WebExchange,
  request: WebRequest,
): Promise<UniversalServerResponse> {
  return handler({
    // Which versions carry a call is decided where it can be refused in the caller's protocol (`http-version.ts`).
    httpVersion: "2.0",
    method: request.method ?? "",
    // Which host was asked for makes no difference, and may be no host that a URL can have (`a:99999`).
    url: `http://localhost${url}`,
    header: headersOf(request),
    // A body that is not read to its end must not take the response with it.
    body: request.iterator({ destroyOnReturn: false }),
    signal: exchange.signal,
    contextValues: createContextValues().set(exchangeKey, exchange),
  });
}

async function writeAnswer(
  answer: UniversalServerResponse,
  exchange: WebExchange,
  response: WebResponse,
): Promise<void> {
  const chunks = answer.body?.[Symbol.asyncIterator]();
  try {
    response.writeHead(answer.status, Object.fromEntries(answer.header ?? []));
    for (let chunk = await chunks?.next(); chunk && !chunk.done; chunk = await chunks?.next()) {
      if (!(await exchange.write(chunk.value))) return;
    }
    response.addTrailers(Object.fromEntries(answer.trailer ?? []));
    response.end();
  } finally {
    await chunks?.return?.();
  }
}

function headersOf(request: WebRequest): Headers {
  const headers = new Headers();
  for (const [name, values] of Object.entries(request.headers)) {
    if (values === undefined || name.startsWith(":")) continue;
    for (const value of Array.isArray(values) ? values : [values]) headers.append(name, value);
  }
  clamp(headers, "grpc-timeout", clampGrpcTimeout);
  clamp(headers, "connect-timeout-ms", clampConnectTimeout);
  return headers;
}

function clamp(headers: Headers, name: string, clampValue: (value: string) => string): void {
  const value = headers.get(name);
  if (value !== null) headers.set(name, clampValue(value));
}

function answerStatus(response: WebResponse, status: number): void {
  response.writeHead(status);
  response.end();
}
