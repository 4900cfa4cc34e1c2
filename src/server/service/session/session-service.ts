/** SessionService: the verbs of admission and boards for one client, many on one stream. */

import { SessionService } from "../../gen/ggen/backpressure/v1/session_service_pb.ts";
import { createRpcService, type RpcService, type StreamEnd } from "../rpc.ts";
import { openSessionCall, type SessionCall, type SessionPorts } from "./session-call.ts";

export interface SessionRpcs {
  readonly service: RpcService;
  /** As of AdmissionService. */
  drain(endTime: number, waiterLeaves: StreamEnd): void;
}

export function createSessionService(ports: SessionPorts): SessionRpcs {
  const open = new Set<SessionCall>();
  let stopping = false;
  const options = { isStopping: () => stopping, onOver: (call: SessionCall) => void open.delete(call) };

  const service = createRpcService(
    SessionService,
    { session: (stream) => void open.add(openSessionCall(ports, { ...options, stream })) },
    { checksItself: true },
  );

  return {
    service,
    drain(endTime, waiterLeaves) {
      stopping = true;
      for (const call of [...open]) call.drain(endTime, waiterLeaves);
    },
  };
}
