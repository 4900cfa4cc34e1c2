/** The work of a verb, once the server has shown that it answers it. */

import { connect } from "node:net";
import { Client, credentials, status } from "@grpc/grpc-js";
import type { Work } from "./arrivals.ts";
import type { LoadCommand, VerbName } from "./command.ts";
import {
  GET_RATE_LIMITS,
  getRateLimits,
  getRateLimitsRequest,
  SHOULD_RATE_LIMIT,
  shouldRateLimitRequest,
  shouldRateLimits,
} from "./peers.ts";
import { stringField } from "./protobuf.ts";
import { type Subject, subjectsOf } from "./subjects.ts";
import { acquires, pairs, sessionPairs, tryAcquires } from "./verbs.ts";

const GET_LIMITER = "/ggen.backpressure.v1.LimiterService/GetLimiter";
const GET_LIMITER_REQUEST = { name: 1 } as const;

/** Rejects with an error that says what is wrong, where, and what to do. */
export async function beginWork({ verb, options, batch }: LoadCommand): Promise<Work> {
  const { address } = options;
  await reach(address);
  const [subject] = subjectsOf(options);
  const asked = subject && probeOf(verb, subject);
  if (asked !== undefined) await ask(address, asked);
  switch (verb) {
    case "try":
      return tryAcquires(options);
    case "pair":
      return pairs(options);
    case "acquire":
      return acquires(options);
    case "session":
      return sessionPairs(options).catch((error: Error) => {
        throw new Error(`${address} opens no session: ${error.message}`);
      });
    case "ratelimit":
      return shouldRateLimits(options);
    case "gubernator":
      return getRateLimits(options, batch);
  }
}

interface Probe {
  readonly path: string;
  readonly request: Uint8Array;
}

/** One call whose status says whether the server serves the verb at all; a session says so itself. */
function probeOf(verb: VerbName, subject: Subject): Probe | undefined {
  switch (verb) {
    case "try":
    case "pair":
    case "acquire":
      return { path: GET_LIMITER, request: stringField(GET_LIMITER_REQUEST.name, subject.limiter) };
    case "ratelimit":
      return { path: SHOULD_RATE_LIMIT, request: shouldRateLimitRequest(subject) };
    case "gubernator":
      return { path: GET_RATE_LIMITS, request: getRateLimitsRequest(subject, 1) };
    case "session":
      return undefined;
  }
}

function reach(address: string): Promise<void> {
  const colon = address.lastIndexOf(":");
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address.slice(0, colon), port: Number(address.slice(colon + 1)), timeout: 5_000 });
    const fail = (why: string) => {
      socket.destroy();
      reject(new Error(`cannot connect to ${address}: ${why}; start the server, or give another --address`));
    };
    socket.on("connect", () => {
      socket.destroy();
      resolve();
    });
    socket.on("timeout", () => fail("no answer within 5 s"));
    socket.on("error", ({ message }) => fail(message));
  });
}

/** Rejects with the status, which the load's own client does not read. */
async function ask(address: string, { path, request }: Probe): Promise<void> {
  const client = new Client(address, credentials.createInsecure(), { "grpc.use_local_subchannel_pool": 1 });
  const asIs = (bytes: Buffer) => bytes;
  try {
    await new Promise<void>((resolve, reject) => {
      const deadline = Date.now() + 5_000;
      client.makeUnaryRequest(path, asIs, asIs, Buffer.from(request), { deadline }, (error) => {
        if (error === null) resolve();
        else
          reject(
            new Error(`${address} answers ${path} with ${status[error.code]}: ${error.details}${hintOf(error.code)}`),
          );
      });
    });
  } finally {
    client.close();
  }
}

function hintOf(code: status): string {
  if (code === status.UNIMPLEMENTED) return "; is it another kind of server? see --verb in --help";
  if (code === status.NOT_FOUND) return "; name a limiter that is there: --limiter, --limiters";
  return "";
}
