/** The package's client over connections that break, and clients that lack what makes it bear that. */

import type { Transport } from "@connectrpc/connect";
import {
  type SessionRequest,
  SessionService,
} from "../../../../src/client/gen/ggen/backpressure/v1/session_service_pb.ts";
import { type Client, type ClientOptions, connect, createClient } from "../../../../src/client/index.ts";
import { createSystemClock } from "../../../../src/client/rpc/clock.ts";
import { createSessionTransport } from "../../../../src/client/session/session-transport.ts";
import { openNodeTransport } from "../../../../src/client/transport/node-transport.ts";
import type { Carrier } from "../../../support/carrier.ts";

/** Patient, and quick to come back: nothing is given up in a run. */
const OPTIONS: ClientOptions = {
  answerWithin: 30_000,
  retry: { maxAttempts: 1_000, initialDelay: 10, maxDelay: 50 },
};

export function connectOver(carrier: Carrier): (address: string) => Client {
  return (address) => connect(address, { ...OPTIONS, sessions: carrier === "sessions" });
}

/** A client whose sessions send other messages. */
export function connectTampered(tamper: (message: SessionRequest) => void): (address: string) => Client {
  return (address) => {
    const { transport, close } = openNodeTransport(address);
    const sessions = createSessionTransport({
      transport: tampered(transport, tamper),
      clock: createSystemClock(),
      defer: (callback) => void setImmediate(callback),
      openWithin: 15_000,
      onRest: () => {},
    });
    const client = createClient({ ...OPTIONS, transport: sessions, address });
    const closeAll = async () => {
      await client.close();
      sessions.close();
      close();
    };
    return { ...client, close: closeAll, [Symbol.asyncDispose]: closeAll };
  };
}

/** It opens a new session each time. */
export function forgetSession({ open }: SessionRequest): void {
  if (open !== undefined) open.resume = undefined;
}

/** It asks anew, and not for what it has asked before. */
export function forgetRequests({ commands }: SessionRequest): void {
  for (const { command } of commands) {
    if (command.case === "acquire" || command.case === "tryAcquire") command.value.requestId = "";
  }
}

function tampered({ unary, stream }: Transport, tamper: (message: SessionRequest) => void): Transport {
  return {
    unary,
    stream(method, signal, timeoutMs, header, messages, ...rest) {
      if (method.parent !== (SessionService as unknown)) {
        return stream(method, signal, timeoutMs, header, messages, ...rest);
      }
      async function* changed() {
        for await (const message of messages) {
          tamper(message as unknown as SessionRequest);
          yield message;
        }
      }
      return stream(method, signal, timeoutMs, header, changed(), ...rest);
    },
  };
}
