/** The gRPC port: `RpcService`s over grpc-js. */

import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import { createServer, type Server as NetServer, type Socket } from "node:net";
import { createServer as createTlsServer, type TLSSocket } from "node:tls";
import { Server, setLogger } from "@grpc/grpc-js";
import type { Identity } from "../../access/authenticator.ts";
import { unauthenticated, type WireError } from "../../wire/error-wire.ts";
import { createReaderGuard } from "../http2/reader-guard.ts";
import { createRequestGuard } from "../http2/request-guard.ts";
import { createHttp2Sessions, http2Options } from "../http2/sessions.ts";
import { spreadStreams } from "../http2/stream-turns.ts";
import type { Transport, TransportOptions } from "../port/options.ts";
import { createPort } from "../port/port.ts";
import { guardHandshakes, tlsOptions } from "../port/tls-listener.ts";
import type { Timed } from "../rpc/call-times.ts";
import { createCallerCheck } from "../rpc/caller-check.ts";
import { createDispatcher, type EarlyRequest } from "../rpc/dispatch.ts";
import { givingBackPaths, openEndedPaths, streamingPaths } from "../rpc/method-paths.ts";
import { clampGrpcTimeout } from "../rpc/timeouts.ts";
import { noteDueTime } from "./due.ts";
import { createGrpcHttp2 } from "./http2-server.ts";
import { onLibraryAnswer } from "./library-answers.ts";
import { addService } from "./methods.ts";
import { refuseCall, refuseForeign } from "./request.ts";
import { createGrpcBeneath } from "./underlying-stream.ts";

const TIMEOUT_HEADER = "grpc-timeout";

export function createGrpcTransport(options: TransportOptions & Timed): Transport {
  const { services, spans, onRefused, places, addresses, quotas, authenticator, limits, liveness, times, log, clock } =
    options;
  // What a caller sends must not write lines of its own to standard error.
  setLogger({ error: (message: string) => log.debug({ event: "grpc-js", message }, "grpc-js") });
  const grpc = new Server({
    "grpc.max_receive_message_length": limits.maxMessageBytes,
    "grpc.enable_channelz": 0,
  });
  const { http2Server, inject } = createGrpcHttp2(grpc, http2Options(limits));
  const sessions = createHttp2Sessions({ server: http2Server, limits, liveness, clock });
  const guard = createRequestGuard(clock);
  const readers = createReaderGuard(clock, liveness);
  const dispatcher = createDispatcher({ services, times, log, spans, onRefused });
  const beneath = createGrpcBeneath(sessions);
  const callers = createCallerCheck({ authenticator, quotas, givingBack: givingBackPaths(services) });
  for (const service of services) addService(grpc, service, { dispatcher, times, beneath, callers, readers, clock });

  const streaming = streamingPaths(services);
  const openEnded = openEndedPaths(services);
  spreadStreams({
    server: http2Server,
    sessions,
    onRefused: (headers, no) => dispatcher.refusedEarly(arrived(headers), no),
    maxMetadataBytes: limits.maxMetadataBytes,
    clock,
    before(stream, headers, flags) {
      const request = arrived(headers);
      const { path } = request;
      if ((flags & constants.NGHTTP2_FLAG_END_STREAM) === 0) guard.watch(stream, openEnded.has(path));
      const foreign = refuseForeign(stream, headers);
      if (foreign !== undefined) {
        dispatcher.refusedEarly(request, foreign);
        return false;
      }
      // Deadlines count from here on, whatever making sure of the caller takes.
      const timeout = headers[TIMEOUT_HEADER];
      noteDueTime(headers, timeout, clock);
      if (typeof timeout === "string") headers[TIMEOUT_HEADER] = clampGrpcTimeout(timeout);
      const { socket } = (stream.session && sessions.of(stream.session)) ?? {};
      const identity = callers.identify(socket, path, { authorization: headers.authorization });
      if (identity instanceof Promise) return identity.then((caller) => letIn(stream, headers, request, caller));
      return letIn(stream, headers, request, identity);
    },
  });

  function arrived(headers: IncomingHttpHeaders): EarlyRequest {
    return { path: headers[":path"] ?? "", system: "grpc", arrivedAt: clock.now() };
  }

  function letIn(
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    request: EarlyRequest,
    caller: Identity,
  ): boolean {
    const { path } = request;
    if (stream.closed || stream.destroyed) return false;
    if (caller === undefined) return refuse(stream, request, unauthenticated());
    const { socket } = (stream.session && sessions.of(stream.session)) ?? {};
    const no = callers.refusalOf(caller, socket, path);
    if (no !== undefined) return refuse(stream, request, no);
    // A method whose requests go on begins with its headers.
    if (!openEnded.has(path)) onLibraryAnswer(stream, (answer) => dispatcher.refusedEarly(request, answer));
    // grpc-js copies the headers at once, and with them whatever a client has written there.
    if (streaming.has(path) || !callers.isOpen) beneath.label(stream, headers, caller);
    else beneath.leaveUnlabelled(headers);
    return true;
  }

  function refuse(stream: ServerHttp2Stream, request: EarlyRequest, error: WireError): false {
    refuseCall(stream, error);
    dispatcher.refusedEarly(request, error);
    return false;
  }

  const { server, undecided } = createListener(options, inject);
  return createPort({
    server,
    places,
    addresses,
    limits,
    tls: options.tls,
    log,
    clock,
    sendAway: (socket) => void sessions.sendAway(socket),
    drain() {
      for (const socket of undecided) socket.destroy();
      sessions.drain();
    },
    end() {
      sessions.destroyAll();
      guard.close();
      readers.close();
      grpc.forceShutdown();
    },
  });
}

interface Listener {
  readonly server: NetServer;
  /** Connections that have not said yet that they speak TLS. */
  readonly undecided: ReadonlySet<Socket>;
}

/** grpc-js never sees TLS: its connections are decrypted when it is handed them. */
function createListener({ tls, log, clock }: TransportOptions, inject: (connection: Socket) => void): Listener {
  if (tls === undefined) return { server: createServer({ noDelay: true }, inject), undecided: new Set() };
  const server = createTlsServer({ ...tlsOptions(tls, ["h2"]), noDelay: true }, (socket: TLSSocket) => {
    if (socket.alpnProtocol === "h2") inject(socket);
    else socket.destroy();
  });
  return { server, undecided: guardHandshakes({ server, clock, log }) };
}
