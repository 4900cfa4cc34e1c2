/** Waiting for a lease. */

import type { MessageInitShape } from "@bufbuild/protobuf";
import type { WaitingNotice } from "./admission-controller.ts";
import { ask, type Heard, type Question } from "./ask.ts";
import { askAgain } from "./ask-again.ts";
import { openCallStream } from "./call-stream.ts";
import type { AcquireOptions } from "./client.ts";
import { AdmissionError } from "./errors.ts";
import type { AcquireRequestSchema, AcquireResponse } from "./gen/ggen/backpressure/v1/admission_service_pb.ts";
import type { ClaimSchema } from "./gen/ggen/backpressure/v1/lease_pb.ts";
import type { Holding, ReopenLease } from "./holding.ts";
import type { Admission } from "./holdings.ts";
import type { LeaseEnd } from "./lease.ts";
import { type Grant, grantFromWire, lossOf } from "./lease-wire.ts";
import { notify } from "./notify.ts";
import type { LeasePorts } from "./ports.ts";
import { type Credential, renew } from "./renewing.ts";
import { durationToMs, msToDuration, timestampToDate } from "./time-wire.ts";
import { withdrawAcquire } from "./withdrawing.ts";

export async function acquire(
  ports: LeasePorts,
  claims: MessageInitShape<typeof ClaimSchema>[],
  options: AcquireOptions,
): Promise<Admission> {
  const { holder, ttl } = options;
  const request = { claims, holder, ttl: ttl === undefined ? undefined : msToDuration(ttl, "ttl") };
  const withdrawal = withdrawAcquire(ports.calls);
  return askAgain(ports, { ...options, withdrawal }, ({ requestId, maxWait, ...asking }) =>
    ask(ports, acquireQuestion(ports, { ...request, requestId, maxWait, keepOnCancel: true }, options), asking),
  );
}

type AcquireEvent = AcquireResponse["event"];

function acquireQuestion(
  ports: LeasePorts,
  request: MessageInitShape<typeof AcquireRequestSchema>,
  { signal, onWaiting, onRevoking, onDraining }: AcquireOptions,
): Question<AcquireEvent, Grant, Holding, Admission> {
  const { calls, holdings } = ports;

  function read(event: AcquireEvent): Heard<Grant, Holding> | undefined {
    switch (event.case) {
      case "waiting": {
        const { waitersAhead, estimatedWait } = event.value;
        const notice: WaitingNotice = { waitersAhead, estimatedWaitMs: estimatedWait && durationToMs(estimatedWait) };
        return { kind: "waiting", tell: () => onWaiting?.(notice) };
      }
      case "granted":
        return { kind: "granted", grant: grantFromWire(event.value) };
      case "revoking": {
        const { endTime, message } = event.value;
        if (endTime === undefined) return undefined;
        const notice = { endTime: timestampToDate(endTime), message };
        return { kind: "notice", tell: (holding) => holding?.revoke(notice) };
      }
      case "draining": {
        const { endTime } = event.value;
        if (endTime === undefined) return undefined;
        return { kind: "notice", tell: () => notify(onDraining, { endTime: timestampToDate(endTime) }) };
      }
      default:
        return undefined;
    }
  }

  /**
   * However long the server says nothing: an attempt that was given up and comes late would take the lease from the next one. A
   * connection that is dead is found by its pings.
   */
  function reopenOf(grant: Grant): ReopenLease {
    const resume = credentialOf(grant);
    return (holding, { resumed, over }) => {
      function hear(event: AcquireEvent): void {
        const heard = read(event);
        if (heard?.kind === "granted") resumed(heard.grant);
        else if (heard?.kind === "notice") heard.tell(holding);
      }
      const speaksWithin = Number.POSITIVE_INFINITY;
      return openCallStream(
        ports,
        (rpcOptions) => calls.admission.acquire({ resume, keepOnCancel: true }, rpcOptions),
        { hear, over },
        { speaksWithin },
      );
    };
  }

  return {
    call: (rpcOptions) => calls.admission.acquire(request, rpcOptions),
    read,
    async confirm(grant) {
      const [answer] = await renew(calls, [credentialOf(grant)]);
      if (answer?.kind === "renewed") return { ...grant, validFor: answer.validFor };
      throw endedEarly(grant, answer?.kind === "ended" ? answer.end : "unconfirmed");
    },
    hold(grant, sentAt, stream) {
      const attached = { stream, reopen: reopenOf(grant) };
      const admission = holdings.admit({ grant, sentAt, attached, signal, onRevoking });
      return { answer: admission, holding: admission.kind === "held" ? admission.holding : undefined };
    },
  };
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
