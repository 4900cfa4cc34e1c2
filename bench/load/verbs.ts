/** What a load can ask of this server, or of one that echoes the same messages. */

import { create, toBinary } from "@bufbuild/protobuf";
import {
  AcquireRequestSchema,
  AdmissionService,
  TryAcquireRequestSchema,
} from "../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { pathOf } from "../../test/support/grpc-client.ts";
import type { Work } from "./arrivals.ts";
import { connectLoad, type LoadConnection } from "./connection.ts";
import { bytesOf, stringField } from "./protobuf.ts";
import { openSession, type SessionConnection } from "./session-connection.ts";
import { pickerOf, type Subject, type SubjectOptions, subjectsOf } from "./subjects.ts";

export interface VerbOptions extends SubjectOptions {
  /** host:port */
  readonly address: string;
  /** Connections, which take turns. */
  readonly clients: number;
  /** The server's authority, for TLS; unset: plain text. */
  readonly ca?: string | undefined;
  /** Of each call, beside those of gRPC. */
  readonly headers?: Readonly<Record<string, string>>;
}

export const TRY_ACQUIRE = pathOf(AdmissionService.method.tryAcquire);
export const RELEASE = pathOf(AdmissionService.method.release);
export const ACQUIRE = pathOf(AdmissionService.method.acquire);

const TRY_RESPONSE = { granted: 1 } as const;
const ACQUIRE_RESPONSE = { granted: 2 } as const;
const GRANTED = { lease: 1, secret: 2 } as const;
const LEASE = { id: 1 } as const;
const RELEASE_REQUEST = { leaseId: 1, secret: 2 } as const;
const HOLDER = "bench-holder-1";

/** TryAcquire alone: for limiters with a rate alone, whose grants leave nothing behind. */
export async function tryAcquires(options: VerbOptions): Promise<Work> {
  const connections = await connectAll(options);
  const [connection, request] = [inTurn(connections), pickerOf(subjectsOf(options).map(tryRequest), options.spread)];
  return {
    decisions: 1,
    begin(ended) {
      connection().call(TRY_ACQUIRE, request(), (answer) => {
        if (answer === undefined) ended("failed");
        else ended(bytesOf(answer, TRY_RESPONSE.granted) === undefined ? "refused" : "done");
      });
    },
    ...closing(connections),
  };
}

/** TryAcquire, and Release of its lease on the same connection. */
export async function pairs(options: VerbOptions): Promise<Work> {
  const connections = await connectAll(options);
  const [connection, request] = [inTurn(connections), pickerOf(subjectsOf(options).map(tryRequest), options.spread)];
  return {
    decisions: 2,
    begin(ended) {
      const by = connection();
      by.call(TRY_ACQUIRE, request(), (answer) => {
        if (answer === undefined) ended("failed");
        else if (bytesOf(answer, TRY_RESPONSE.granted) === undefined) ended("refused");
        else by.call(RELEASE, releaseRequest(answer), (released) => ended(released === undefined ? "failed" : "done"));
      });
    },
    ...closing(connections),
  };
}

/** An Acquire stream that is opened, granted and cancelled. */
export async function acquires(options: VerbOptions): Promise<Work> {
  const connections = await connectAll(options);
  const [connection, request] = [
    inTurn(connections),
    pickerOf(subjectsOf(options).map(acquireRequest), options.spread),
  ];
  return {
    decisions: 2,
    begin(ended) {
      const cancel = connection().stream(ACQUIRE, request(), {
        message(bytes) {
          if (bytesOf(bytes, ACQUIRE_RESPONSE.granted) === undefined) return;
          // What is heard with the request itself is not cancelled before it is known.
          queueMicrotask(() => {
            cancel();
            ended("done");
          });
        },
        ended: () => ended("failed"),
      });
    },
    ...closing(connections),
  };
}

/** Acquire and Release in sessions, one a client. Rejects with the status if the server opens none. */
export async function sessionPairs(options: VerbOptions): Promise<Work> {
  const sessions = Array.from({ length: options.clients }, () => openSession(options.address));
  await Promise.all(sessions.map(({ opened }) => opened));
  const [session, request] = [inTurn(sessions), pickerOf(subjectsOf(options).map(acquireRequest), options.spread)];
  return {
    decisions: 2,
    begin(ended) {
      const by: SessionConnection = session();
      by.acquire(request(), (answer) => {
        if (answer.kind === "granted") {
          by.release(answer.leaseId, ({ kind }) => ended(kind === "released" ? "done" : "failed"));
        } else ended("failed");
      });
    },
    ...closing(sessions),
  };
}

/** TryAcquire in sessions, one a client. */
export async function sessionTries(options: VerbOptions): Promise<Work> {
  const sessions = Array.from({ length: options.clients }, () => openSession(options.address));
  await Promise.all(sessions.map(({ opened }) => opened));
  const [session, request] = [inTurn(sessions), pickerOf(subjectsOf(options).map(tryRequest), options.spread)];
  return {
    decisions: 1,
    begin: (ended) => session().tryAcquire(request(), ({ kind }) => ended(kind === "granted" ? "done" : "failed")),
    ...closing(sessions),
  };
}

export function connectAll({ address, clients, ca, headers }: VerbOptions): Promise<LoadConnection[]> {
  return Promise.all(Array.from({ length: clients }, () => connectLoad(address, ca, headers)));
}

export function inTurn<T>(items: readonly T[]): () => T {
  let next = 0;
  return () => {
    const item = items[next] as T;
    next = (next + 1) % items.length;
    return item;
  };
}

export function closing(connections: readonly { close(): void }[]): AsyncDisposable {
  return {
    async [Symbol.asyncDispose]() {
      for (const connection of connections) connection.close();
    },
  };
}

/** The bytes of a TryAcquireRequest. */
export function tryRequest(subject: Subject): Uint8Array {
  return toBinary(TryAcquireRequestSchema, create(TryAcquireRequestSchema, { claims: [subject], holder: HOLDER }));
}

/** The bytes of an AcquireRequest. */
export function acquireRequest(subject: Subject): Uint8Array {
  return toBinary(AcquireRequestSchema, create(AcquireRequestSchema, { claims: [subject], holder: HOLDER }));
}

/** The bytes of the ReleaseRequest for what this TryAcquireResponse grants. */
export function releaseRequest(answer: Buffer): Buffer {
  const granted = bytesOf(answer, TRY_RESPONSE.granted);
  const lease = granted && bytesOf(granted, GRANTED.lease);
  const id = (lease && bytesOf(lease, LEASE.id))?.toString("latin1") ?? "";
  const secret = (granted && bytesOf(granted, GRANTED.secret))?.toString("latin1") ?? "";
  return Buffer.concat([stringField(RELEASE_REQUEST.leaseId, id), stringField(RELEASE_REQUEST.secret, secret)]);
}
