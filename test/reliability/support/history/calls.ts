/** The calls of AdmissionService as a client of the history check makes them, each with a stream of its own. */

import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import {
  AcquireRequestSchema,
  AcquireResponseSchema,
  AdmissionService,
  ReleaseRequestSchema,
  type ReleaseResponse,
  ReleaseResponseSchema,
  RenewRequestSchema,
  RenewResponseSchema,
  TryAcquireRequestSchema,
  TryAcquireResponseSchema,
} from "../../../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import type { Connection } from "./connection.ts";
import { micros } from "./history.ts";
import type { AcquireStream, Credential, Heard, TryAnswer, Way } from "./way.ts";

// By hand, since `pathOf` comes with a library that sixteen processes would have to load.
const [ACQUIRE, TRY_ACQUIRE, RENEW, RELEASE] = (["acquire", "tryAcquire", "renew", "release"] as const).map(
  (name) => `/${AdmissionService.typeName}/${AdmissionService.method[name].name}`,
) as [string, string, string, string];

export function byCalls(connection: Connection): Way {
  const way: Way = {
    acquire: (init) => acquire(connection, init),
    tryAcquire: (init) => tryAcquire(connection, init),
    renew: (credential) => renew(connection, credential),
    release: (credential) => release(connection, credential),
    apart: async () => way,
    lose: () => {},
  };
  return way;
}

function acquire(connection: Connection, init: MessageInitShape<typeof AcquireRequestSchema>): AcquireStream {
  const answered = Promise.withResolvers<void>();
  const granted = Promise.withResolvers<Heard | undefined>();
  const ended = Promise.withResolvers<void>();
  let queued: number | undefined;
  const message = toBinary(AcquireRequestSchema, create(AcquireRequestSchema, init));
  const sent = micros();
  const call = connection.open(ACQUIRE, message, {
    onMessage(bytes) {
      const at = micros();
      const { event } = fromBinary(AcquireResponseSchema, bytes);
      if (event.case === "waiting") queued ??= at;
      if (event.case === "granted") granted.resolve({ at, granted: event.value, by: undefined });
      answered.resolve();
    },
    onEnd() {
      answered.resolve();
      granted.resolve(undefined);
      ended.resolve();
    },
  });
  return {
    sent,
    get queued() {
      return queued;
    },
    answered: answered.promise,
    granted: granted.promise,
    ended: ended.promise,
    cancel() {
      call.cancel();
      granted.resolve(undefined);
    },
  };
}

async function tryAcquire(
  connection: Connection,
  init: MessageInitShape<typeof TryAcquireRequestSchema>,
): Promise<TryAnswer> {
  const message = toBinary(TryAcquireRequestSchema, create(TryAcquireRequestSchema, init));
  const sent = micros();
  const bytes = await unary(connection, TRY_ACQUIRE, message);
  const at = micros();
  const { result } = bytes === undefined ? NO_RESULT : fromBinary(TryAcquireResponseSchema, bytes);
  const heard = result.case === "granted" ? { at, granted: result.value, by: undefined } : undefined;
  return { sent, heard, lost: undefined };
}

async function renew(connection: Connection, credential: Credential): Promise<number | undefined> {
  const message = toBinary(RenewRequestSchema, create(RenewRequestSchema, { leases: [credential] }));
  const sent = micros();
  const bytes = await unary(connection, RENEW, message);
  if (bytes === undefined) return undefined;
  return fromBinary(RenewResponseSchema, bytes).results[0]?.result.case === "renewed" ? sent : undefined;
}

async function release(connection: Connection, credential: Credential): Promise<ReleaseResponse | undefined> {
  const message = toBinary(ReleaseRequestSchema, create(ReleaseRequestSchema, credential));
  const bytes = await unary(connection, RELEASE, message);
  return bytes && fromBinary(ReleaseResponseSchema, bytes);
}

const NO_RESULT = create(TryAcquireResponseSchema);

function unary(connection: Connection, path: string, message: Uint8Array): Promise<Buffer | undefined> {
  const { promise, resolve } = Promise.withResolvers<Buffer | undefined>();
  let answer: Buffer | undefined;
  connection.open(path, message, {
    onMessage(bytes) {
      answer = Buffer.from(bytes);
    },
    onEnd: () => resolve(answer),
  });
  return promise;
}
