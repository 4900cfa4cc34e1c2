/** An Acquire call, event by event. */

import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type AcquireRequestSchema,
  type AcquireResponse,
  AdmissionService,
  type Granted,
} from "../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import type { CallFailure } from "./call-failure.ts";
import type { CallOptions, ContractClient } from "./contract-client.ts";

type Event = AcquireResponse["event"];
type EventKind = NonNullable<Event["case"]>;
type EventValue<K extends EventKind> = Extract<Event, { readonly case: K }>["value"];

export interface AcquireCall {
  /** The next event of this kind; those of other kinds before it are dropped. Rejects if the stream ends before. */
  next<K extends EventKind>(kind: K): Promise<EventValue<K>>;
  /** Kinds of all events so far. */
  readonly kinds: readonly EventKind[];
  /** How it ended; undefined: with OK. */
  readonly ending: Promise<CallFailure | undefined>;
  cancel(): void;
}

export type AcquireInit = MessageInitShape<typeof AcquireRequestSchema>;

/** `request`: the whole of it, or the name of the limiter of which one permit is wanted. */
export function acquire(client: ContractClient, request: AcquireInit | string, options?: CallOptions): AcquireCall {
  const init = typeof request === "string" ? { claims: [{ limiter: request }] } : request;
  const stream = client.open(AdmissionService.method.acquire, init, options);
  return {
    async next<K extends EventKind>(kind: K) {
      for (;;) {
        const { event } = await stream.next();
        if (event.case === kind) return event.value as EventValue<K>;
      }
    },
    get kinds() {
      return stream.received.flatMap(({ event }) => event.case ?? []);
    },
    ending: stream.ending,
    cancel: stream.cancel,
  };
}

/** A call that holds. */
export interface Hold extends AcquireCall {
  readonly granted: Granted;
  readonly leaseId: string;
  readonly secret: string;
}

/** Acquires and waits for the grant. */
export async function hold(
  client: ContractClient,
  request: AcquireInit | string,
  options?: CallOptions,
): Promise<Hold> {
  return held(acquire(client, request, options));
}

/** Waits for the grant of a call. */
export async function held(call: AcquireCall): Promise<Hold> {
  const granted = await call.next("granted");
  return Object.assign(call, { granted, leaseId: granted.lease?.id ?? "", secret: granted.secret });
}

/** Acquires and waits until it stands in the queue. */
export async function queue(
  client: ContractClient,
  request: AcquireInit | string,
  options?: CallOptions,
): Promise<AcquireCall> {
  const call = acquire(client, request, options);
  await call.next("waiting");
  return call;
}

/** Releases, and waits for the end of the stream: from here on the server knows. Cancelling promises no such instant. */
export async function giveBack(client: ContractClient, { leaseId, secret, ending }: Hold): Promise<void> {
  await client.call(AdmissionService.method.release, { leaseId, secret });
  const failure = await ending;
  if (failure) throw failure;
}
