/** The calls of AdmissionService as a client of the history check makes them, with the times at which it heard. */

import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import {
  AcquireRequestSchema,
  AcquireResponseSchema,
  AdmissionService,
  type Granted,
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

/** A grant as it was heard of. */
export interface Heard {
  readonly at: number;
  readonly granted: Granted;
}

export interface AcquireStream {
  readonly sent: number;
  /** When it was first heard that it waits. */
  readonly queued: number | undefined;
  /** Resolves when something was heard, or it ended. */
  readonly answered: Promise<void>;
  /** Undefined: it ended, or was cancelled, before. */
  readonly granted: Promise<Heard | undefined>;
  /** Not after a cancel. */
  readonly ended: Promise<void>;
  cancel(): void;
}

export interface TryAnswer {
  readonly sent: number;
  /** Undefined: it was refused. */
  readonly heard: Heard | undefined;
}

interface Credential {
  readonly leaseId: string;
  readonly secret: string;
}

// By hand, since `pathOf` comes with a library that sixteen processes would have to load.
const [ACQUIRE, TRY_ACQUIRE, RENEW, RELEASE] = (["acquire", "tryAcquire", "renew", "release"] as const).map(
  (name) => `/${AdmissionService.typeName}/${AdmissionService.method[name].name}`,
) as [string, string, string, string];

export function acquire(connection: Connection, init: MessageInitShape<typeof AcquireRequestSchema>): AcquireStream {
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
      if (event.case === "granted") granted.resolve({ at, granted: event.value });
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

export async function tryAcquire(
  connection: Connection,
  init: MessageInitShape<typeof TryAcquireRequestSchema>,
): Promise<TryAnswer> {
  const message = toBinary(TryAcquireRequestSchema, create(TryAcquireRequestSchema, init));
  const sent = micros();
  const bytes = await unary(connection, TRY_ACQUIRE, message);
  const at = micros();
  if (bytes === undefined) return { sent, heard: undefined };
  const { result } = fromBinary(TryAcquireResponseSchema, bytes);
  return { sent, heard: result.case === "granted" ? { at, granted: result.value } : undefined };
}

/** Undefined: it had ended. Else when that was asked which the answer confirms. */
export async function renew(connection: Connection, credential: Credential): Promise<number | undefined> {
  const message = toBinary(RenewRequestSchema, create(RenewRequestSchema, { leases: [credential] }));
  const sent = micros();
  const bytes = await unary(connection, RENEW, message);
  if (bytes === undefined) return undefined;
  return fromBinary(RenewResponseSchema, bytes).results[0]?.result.case === "renewed" ? sent : undefined;
}

/** Undefined: the server knew of no such lease. */
export async function release(connection: Connection, credential: Credential): Promise<ReleaseResponse | undefined> {
  const message = toBinary(ReleaseRequestSchema, create(ReleaseRequestSchema, credential));
  const bytes = await unary(connection, RELEASE, message);
  return bytes && fromBinary(ReleaseResponseSchema, bytes);
}

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
