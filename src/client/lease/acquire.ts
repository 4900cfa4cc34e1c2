/** Waiting for a lease. */

import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Duration } from "@bufbuild/protobuf/wkt";
import type { WaitingNotice } from "../api/admission-controller.ts";
import type { AcquireOptions } from "../api/client.ts";
import { AdmissionError } from "../api/errors.ts";
import type { DrainingNotice, LeaseEnd, RevokingNotice } from "../api/lease.ts";
import type { AcquireResponse } from "../gen/ggen/backpressure/v1/admission_service_pb.ts";
import type { ClaimSchema } from "../gen/ggen/backpressure/v1/lease_pb.ts";
import type { Attached } from "../hold/held.ts";
import { askAgain, type WaitingAttempt } from "../hold/retry-waiting.ts";
import { isProven, readStream } from "../hold/waiting-call.ts";
import { type CallStream, mapStream, openCallStream } from "../rpc/call-stream.ts";
import type { Moment } from "../rpc/clock.ts";
import { type RequestHeaders, requestHeaders } from "../rpc/headers.ts";
import { unlessAborted } from "../rpc/linked-signal.ts";
import { notify } from "../rpc/notify.ts";
import { type Grant, grantFromWire, lossOf } from "../wire/lease.ts";
import { durationToMs, msToDuration, timestampToDate } from "../wire/time.ts";
import type { HeldLease } from "./held-lease.ts";
import type { Admission, LeasePorts } from "./held-leases.ts";
import { withdrawAcquire } from "./release.ts";
import { type Credential, renew } from "./renew.ts";

export async function acquire(
  ports: LeasePorts,
  claims: MessageInitShape<typeof ClaimSchema>[],
  options: AcquireOptions,
): Promise<Admission> {
  const headers = requestHeaders(ports.headers, options.headers);
  const withdrawal = withdrawAcquire(ports.calls);
  const ttl = options.ttl === undefined ? undefined : msToDuration(options.ttl, "ttl");
  return askAgain(ports, { ...options, withdrawal }, (attempt) =>
    waitOnce(ports, { claims, ttl, options, headers }, attempt),
  );
}

interface Wanted {
  readonly claims: MessageInitShape<typeof ClaimSchema>[];
  readonly ttl: Duration | undefined;
  readonly options: AcquireOptions;
  readonly headers: RequestHeaders;
}

async function waitOnce(
  ports: LeasePorts,
  { claims, ttl, options, headers }: Wanted,
  { requestId, maxWait, signal, onHeard }: WaitingAttempt,
): Promise<Admission> {
  const { calls, clock, leases } = ports;
  const { holder, onWaiting, onRevoking, onDraining } = options;
  const request = { claims, holder, ttl, requestId, maxWait, keepOnCancel: true };
  const sentAt = clock.now();

  async function read(stream: CallStream<AcquireEvent>): Promise<Admission> {
    for await (const wire of stream) {
      const event = readEvent(wire);
      switch (event?.kind) {
        case "waiting":
          onHeard();
          onWaiting?.(event.notice);
          break;
        case "granted": {
          const proof = await prove(ports, event.grant, sentAt, signal);
          signal.throwIfAborted();
          const attach = (lease: HeldLease) => attachedTo(ports, { stream, lease, onDraining });
          const admission = leases.admit({ ...proof, attach, signal: options.signal, onRevoking });
          // The server ends the stream of a grant that holds nothing.
          if (admission.kind === "spent") void stream.finish().then(stream.place.leave);
          return admission;
        }
        case "draining":
          notify(onDraining, event.notice);
          break;
      }
    }
    throw calls.unavailable("it ended the stream without a grant");
  }

  const call = (rpcOptions: { readonly signal: AbortSignal }) =>
    calls.admission.acquire(request, { ...rpcOptions, ...headers() });
  return readStream(ports, call, read, signal);
}

/** Has a grant confirmed that comes after so long a wait that its request proves nothing any more; throws if it has ended. */
async function prove({ calls, clock }: LeasePorts, grant: Grant, sentAt: Moment, signal: AbortSignal) {
  if (isProven(grant.validFor, sentAt, clock)) return { grant, sentAt };
  const askedAt = clock.now();
  const [answer] = await unlessAborted(renew(calls, [credentialOf(grant)]), signal);
  if (answer?.kind !== "renewed") throw endedEarly(grant, answer?.kind === "ended" ? answer.end : "unconfirmed");
  return { grant: { ...grant, validFor: answer.validFor }, sentAt: askedAt };
}

interface Stream {
  readonly stream: CallStream<AcquireEvent>;
  readonly lease: HeldLease;
  readonly onDraining: AcquireOptions["onDraining"];
}

/** The stream as that of the lease, which receives the notices on it. */
function attachedTo(ports: LeasePorts, { stream, lease, onDraining }: Stream): Attached {
  const { calls } = ports;
  const request = { resume: lease.credential, keepOnCancel: true };

  function readGrant(wire: AcquireEvent): Grant | undefined {
    const event = readEvent(wire);
    if (event?.kind === "granted") return event.grant;
    if (event?.kind === "revoking") lease.revoke(event.notice);
    else if (event?.kind === "draining") notify(onDraining, event.notice);
    return undefined;
  }

  return {
    stream: mapStream(stream, readGrant),
    /**
     * However long the server says nothing: an attempt that was given up and comes late would take the lease from the next one.
     * A connection that is dead is found by its pings.
     */
    reopen(place) {
      const speaksWithin = Number.POSITIVE_INFINITY;
      const call = (rpcOptions: { readonly signal: AbortSignal }) => calls.admission.acquire(request, rpcOptions);
      return mapStream(openCallStream(ports, call, { place, speaksWithin }), readGrant);
    },
  };
}

type AcquireEvent = AcquireResponse["event"];

/** What the server says of a request for a lease. */
type ServerEvent =
  | { readonly kind: "waiting"; readonly notice: WaitingNotice }
  | { readonly kind: "granted"; readonly grant: Grant }
  | { readonly kind: "revoking"; readonly notice: RevokingNotice }
  | { readonly kind: "draining"; readonly notice: DrainingNotice };

/** Undefined for what changes nothing, a heartbeat for one, or what only a newer client knows. */
function readEvent(wire: AcquireEvent): ServerEvent | undefined {
  switch (wire.case) {
    case "waiting": {
      const { waitersAhead, estimatedWait } = wire.value;
      return {
        kind: "waiting",
        notice: { waitersAhead, estimatedWaitMs: estimatedWait && durationToMs(estimatedWait) },
      };
    }
    case "granted":
      return { kind: "granted", grant: grantFromWire(wire.value) };
    case "revoking": {
      const { endTime, message } = wire.value;
      return endTime && { kind: "revoking", notice: { endTime: timestampToDate(endTime), message } };
    }
    case "draining": {
      const { endTime } = wire.value;
      return endTime && { kind: "draining", notice: { endTime: timestampToDate(endTime) } };
    }
    default:
      return undefined;
  }
}

function credentialOf({ id, secret }: Grant): Credential {
  return { leaseId: id, secret };
}

function endedEarly(grant: Grant, end: LeaseEnd): AdmissionError {
  const [claim] = grant.claims;
  return new AdmissionError(`lease ${grant.id} had ended (${end}) before its holder could know of it`, {
    reason: lossOf(end),
    code: "ABORTED",
    limiter: claim?.limiter,
    key: claim?.key,
  });
}
