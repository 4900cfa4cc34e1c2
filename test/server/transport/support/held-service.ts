/** AdmissionService and SessionService whose streams are handed to the test, which speaks for the services. */

import { create } from "@bufbuild/protobuf";
import {
  type AcquireRequest,
  type AcquireResponse,
  AcquireResponseSchema,
  AdmissionService,
  type TryAcquireRequest,
  type TryAcquireResponse,
  TryAcquireResponseSchema,
} from "../../../../src/server/gen/ggen/backpressure/v1/admission_service_pb.ts";
import {
  type SessionRequest,
  SessionRequestSchema,
  type SessionResponse,
  SessionResponseSchema,
  SessionService,
} from "../../../../src/server/gen/ggen/backpressure/v1/session_service_pb.ts";
import {
  type BidiStream,
  type Call,
  createRpcService,
  type RpcService,
  type ServerStream,
  type StreamEnd,
} from "../../../../src/server/service/rpc.ts";
import { createMailbox, type Mailbox } from "../../../client/support/mailbox.ts";

export interface HeldStream {
  readonly request: AcquireRequest;
  readonly stream: ServerStream<AcquireResponse>;
  /** How it ended, once it has. */
  readonly ended: Promise<StreamEnd>;
}

export interface HeldService {
  readonly service: RpcService;
  readonly sessionService: RpcService;
  /** The calls of Acquire as they come; each has said `waiting` once. */
  readonly acquires: Mailbox<HeldStream>;
  /** The calls of Session as they come. */
  readonly sessions: Mailbox<BidiStream<SessionRequest, SessionResponse>>;
  /** How many calls of Acquire have ended without the service's doing. */
  readonly endings: StreamEnd[];
}

export function createHeldService(
  tryAcquire: (request: TryAcquireRequest, call: Call) => TryAcquireResponse | Promise<TryAcquireResponse> = () =>
    create(TryAcquireResponseSchema),
): HeldService {
  const acquires = createMailbox<HeldStream>();
  const sessions = createMailbox<BidiStream<SessionRequest, SessionResponse>>();
  const endings: StreamEnd[] = [];
  const service = createRpcService(AdmissionService, {
    tryAcquire,
    acquire(request, stream) {
      const { promise: ended, resolve } = Promise.withResolvers<StreamEnd>();
      stream.onEnd((how) => {
        endings.push(how);
        resolve(how);
      });
      stream.send(waiting(0));
      acquires.put({ request, stream, ended });
    },
  });
  const sessionService = createRpcService(SessionService, { session: (stream) => sessions.put(stream) });
  return { service, sessionService, acquires, sessions, endings };
}

export function waiting(waitersAhead: number): AcquireResponse {
  return create(AcquireResponseSchema, { event: { case: "waiting", value: { waitersAhead } } });
}

/** A request of a session, with one command of this id. */
export function commandOf(id: bigint): SessionRequest {
  return create(SessionRequestSchema, { commands: [{ id, command: { case: "renew", value: {} } }] });
}

/** The answer to that command. */
export function answerTo(id: bigint): SessionResponse {
  return create(SessionResponseSchema, { answers: [{ id, answer: { case: "renewed", value: {} } }] });
}
