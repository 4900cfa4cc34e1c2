/** The load: the same work again and again, so many at once, over a few connections. */

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  AcquireRequestSchema,
  AdmissionService,
  ReleaseRequestSchema,
  TryAcquireRequestSchema,
  TryAcquireResponseSchema,
} from "../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { pathOf } from "../../test/support/grpc-client.ts";
import { connectUnary, type UnaryConnection } from "./unary-connection.ts";

export const TRY_ACQUIRE = pathOf(AdmissionService.method.tryAcquire);
export const RELEASE = pathOf(AdmissionService.method.release);
export const ACQUIRE = pathOf(AdmissionService.method.acquire);

export interface Load extends Disposable {
  /** Runs for so many ms; resolves with how often the work was done, and the ms that it took. */
  run(duration: number): Promise<{ readonly done: number; readonly took: number }>;
}

/** Calls back with the bytes of each answer when all are here. */
export type Work = (connection: UnaryConnection, done: (...answers: Uint8Array[]) => void) => void;

const HOLDER = "bench-holder-1";
const DB = toBinary(
  TryAcquireRequestSchema,
  create(TryAcquireRequestSchema, { claims: [{ limiter: "db" }], holder: HOLDER }),
);
const API = toBinary(
  TryAcquireRequestSchema,
  create(TryAcquireRequestSchema, { claims: [{ limiter: "api" }], holder: HOLDER }),
);
const WAIT = toBinary(
  AcquireRequestSchema,
  create(AcquireRequestSchema, { claims: [{ limiter: "db" }], holder: HOLDER }),
);

/** TryAcquire of a limiter that has permits, and Release of what it granted. */
export const pair: Work = (connection, done) => {
  connection.call(TRY_ACQUIRE, DB, (bytes) => {
    const tryAcquired = Buffer.from(bytes);
    const { result } = fromBinary(TryAcquireResponseSchema, tryAcquired);
    if (result.case !== "granted") throw new Error("TryAcquire was refused");
    const { lease, secret } = result.value;
    const request = create(ReleaseRequestSchema, { leaseId: lease?.id ?? "", secret });
    connection.call(RELEASE, toBinary(ReleaseRequestSchema, request), (released) => done(tryAcquired, released));
  });
};

/** TryAcquire of a limiter that has a rate alone: nothing is left to release. */
export const tryAcquire: Work = (connection, done) => connection.call(TRY_ACQUIRE, API, done);

/** An Acquire that is granted at once and cancelled. */
export const acquire: Work = (connection, done) => connection.cancelAfterFirst(ACQUIRE, WAIT, done);

export async function connectLoad(
  address: string,
  options: { readonly connections: number; readonly inFlight: number; readonly work?: Work },
): Promise<Load> {
  const { connections, inFlight, work = pair } = options;
  const open = await Promise.all(Array.from({ length: connections }, () => connectUnary(address)));
  return {
    run(duration) {
      const begun = performance.now();
      let done = 0;
      let running = inFlight;
      const { promise, resolve } = Promise.withResolvers<{ done: number; took: number }>();
      const next = (connection: UnaryConnection) => {
        if (performance.now() - begun < duration) {
          work(connection, () => {
            done += 1;
            next(connection);
          });
          return;
        }
        running -= 1;
        if (running === 0) resolve({ done, took: performance.now() - begun });
      };
      for (let i = 0; i < inFlight; i++) next(open[i % connections] as UnaryConnection);
      return promise;
    },
    [Symbol.dispose]() {
      for (const connection of open) connection.close();
    },
  };
}

/** Does the work once, for its answers. */
export async function answersOf(address: string, work: Work): Promise<readonly Uint8Array[]> {
  const connection = await connectUnary(address);
  const answers = await new Promise<readonly Uint8Array[]>((resolve) => {
    work(connection, (...bytes) => resolve(bytes.map((one) => Buffer.from(one))));
  });
  connection.close();
  return answers;
}
