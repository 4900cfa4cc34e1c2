/** How a client of the history check asks: by calls, or by commands of a session. */

import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  AcquireRequestSchema,
  Granted,
  ReleaseResponse,
  TryAcquireRequestSchema,
} from "../../../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";

export interface Way {
  acquire(init: MessageInitShape<typeof AcquireRequestSchema>): AcquireStream;
  tryAcquire(init: MessageInitShape<typeof TryAcquireRequestSchema>): Promise<TryAnswer>;
  /** Undefined: it had ended. Else when that was asked which the answer confirms. */
  renew(credential: Credential): Promise<number | undefined>;
  /** Undefined: the server knew of no such lease. */
  release(credential: Credential): Promise<ReleaseResponse | undefined>;
  /** Opens a way whose leases nothing else shows signs of life for. */
  apart(): Promise<Way>;
  /** Goes without a word. What it holds has its ttl. */
  lose(): void;
}

/** A grant as it was heard of. */
export interface Heard {
  readonly at: number;
  readonly granted: Granted;
  /** The session whose lease it is, which alone may speak for it; undefined: any way may, with the secret. */
  readonly by: Way | undefined;
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
  /** Resolves when another request has taken over what a session was granted; undefined: no session was. */
  readonly lost: Promise<void> | undefined;
}

export interface Credential {
  readonly leaseId: string;
  readonly secret: string;
}
