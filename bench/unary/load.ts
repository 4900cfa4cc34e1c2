/** The load: pairs of TryAcquire and Release, so many in flight, over a few connections. */

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  AdmissionService,
  ReleaseRequestSchema,
  TryAcquireRequestSchema,
  TryAcquireResponseSchema,
} from "../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { pathOf } from "../../test/support/grpc-client.ts";
import { connectUnary, type UnaryConnection } from "./unary-connection.ts";

export const TRY_ACQUIRE = pathOf(AdmissionService.method.tryAcquire);
export const RELEASE = pathOf(AdmissionService.method.release);

export interface Load extends Disposable {
  /** Runs for so many ms; resolves with the pairs that were done, and the ms that they took. */
  run(duration: number): Promise<{ readonly pairs: number; readonly took: number }>;
}

/** The answers to one pair, byte for byte. */
export interface PairAnswers {
  readonly tryAcquire: Uint8Array;
  readonly release: Uint8Array;
}

const REQUEST = toBinary(
  TryAcquireRequestSchema,
  create(TryAcquireRequestSchema, { claims: [{ limiter: "db" }], holder: "bench-holder-1" }),
);

export async function connectLoad(
  address: string,
  { connections, inFlight }: { readonly connections: number; readonly inFlight: number },
): Promise<Load> {
  const open = await Promise.all(Array.from({ length: connections }, () => connectUnary(address)));
  return {
    run(duration) {
      const begun = performance.now();
      let pairs = 0;
      let running = inFlight;
      const { promise, resolve } = Promise.withResolvers<{ pairs: number; took: number }>();
      const next = (connection: UnaryConnection) => {
        if (performance.now() - begun < duration) {
          pair(connection, () => {
            pairs += 1;
            next(connection);
          });
          return;
        }
        running -= 1;
        if (running === 0) resolve({ pairs, took: performance.now() - begun });
      };
      for (let i = 0; i < inFlight; i++) next(open[i % connections] as UnaryConnection);
      return promise;
    },
    [Symbol.dispose]() {
      for (const connection of open) connection.close();
    },
  };
}

/** One pair, for its answers. */
export async function takePair(address: string): Promise<PairAnswers> {
  const connection = await connectUnary(address);
  const answers = await new Promise<PairAnswers>((resolve) => {
    pair(connection, (tryAcquire, release) => resolve({ tryAcquire, release }));
  });
  connection.close();
  return answers;
}

function pair(connection: UnaryConnection, done: (tryAcquire: Uint8Array, release: Uint8Array) => void): void {
  connection.call(TRY_ACQUIRE, REQUEST, (bytes) => {
    const tryAcquired = Buffer.from(bytes);
    const { result } = fromBinary(TryAcquireResponseSchema, tryAcquired);
    if (result.case !== "granted") throw new Error("TryAcquire was refused");
    const { lease, secret } = result.value;
    const request = create(ReleaseRequestSchema, { leaseId: lease?.id ?? "", secret });
    connection.call(RELEASE, toBinary(ReleaseRequestSchema, request), (released) => {
      done(tryAcquired, Buffer.from(released));
    });
  });
}
