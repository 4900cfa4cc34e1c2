/** One question to wait for: an Acquire call until its grant, after which the call is the lease. */

import type { MessageInitShape } from "@bufbuild/protobuf";
import { openAcquireStream } from "./acquire-stream.ts";
import type { WaitingNotice } from "./admission-controller.ts";
import { ANSWER_WITHIN } from "./calls.ts";
import type { AcquireOptions } from "./client.ts";
import type { Moment } from "./clock.ts";
import { AdmissionError } from "./errors.ts";
import type {
  AcquireRequestSchema,
  AcquireResponse,
  Waiting,
} from "./gen/ggen/backpressure/v1/admission_service_pb.ts";
import type { Holding } from "./holding.ts";
import type { Admission } from "./holdings.ts";
import type { LeaseEnd } from "./lease.ts";
import { type Grant, grantFromWire, lossOf } from "./lease-wire.ts";
import { notify } from "./notify.ts";
import type { AskPorts } from "./ports.ts";
import { type Credential, renew } from "./renewing.ts";
import { durationToMs, timestampToDate } from "./time-wire.ts";
import { remainingOf } from "./validity.ts";

export interface Question {
  readonly request: MessageInitShape<typeof AcquireRequestSchema>;
  /** Aborting it takes the question back; from the grant on, `options.signal` does. */
  readonly signal: AbortSignal;
  readonly options: Pick<AcquireOptions, "signal" | "onWaiting" | "onRevoking" | "onDraining">;
  /** Told that the server has taken the question in. */
  readonly onHeard: () => void;
}

type Phase =
  | { readonly kind: "waiting" }
  /** Granted after so long a wait that the request which was answered proves nothing any more: a Renew is under way. */
  | { readonly kind: "confirming"; readonly grant: Grant }
  | { readonly kind: "holding"; readonly holding: Holding }
  | { readonly kind: "over" };

/** Resolves with the grant; rejects with whatever ended the call before, or the reason for which it was taken back. */
export function ask(ports: AskPorts, question: Question): Promise<Admission> {
  const { calls, clock, holdings, underway, waits } = ports;
  const { options, signal } = question;

  return new Promise((resolve, reject) => {
    let phase: Phase = { kind: "waiting" };
    const takeBack = () => fail(signal.reason);
    const sentAt = clock.now();
    const stream = openAcquireStream(ports, question.request, { hear, over });
    if (phase.kind === "waiting") {
      waits.add(fail);
      signal.addEventListener("abort", takeBack);
    }

    function hear(event: AcquireResponse["event"]): void {
      switch (event.case) {
        case "waiting":
          question.onHeard();
          tellPlace(event.value);
          return;
        case "granted": {
          if (phase.kind !== "waiting") return;
          const grant = grantFromWire(event.value);
          const proven = grant.validFor === undefined || remainingOf({ sentAt, validFor: grant.validFor }, clock) > 0;
          if (proven) hold(grant, sentAt);
          else confirm(grant);
          return;
        }
        case "revoking": {
          const { endTime, message } = event.value;
          if (phase.kind !== "holding" || endTime === undefined) return;
          phase.holding.revoke({ endTime: timestampToDate(endTime), message });
          return;
        }
        case "draining": {
          const { endTime } = event.value;
          if (endTime !== undefined) notify(options.onDraining, { endTime: timestampToDate(endTime) });
          return;
        }
        default:
          return;
      }
    }

    function tellPlace({ waitersAhead, estimatedWait }: Waiting): void {
      const notice: WaitingNotice = { waitersAhead, estimatedWaitMs: estimatedWait && durationToMs(estimatedWait) };
      try {
        options.onWaiting?.(notice);
      } catch (error) {
        fail(error);
      }
    }

    function hold(grant: Grant, since: Moment): void {
      const { onRevoking } = options;
      const admission = holdings.admit({ grant, sentAt: since, stream, signal: options.signal, onRevoking });
      enter(admission.kind === "held" ? { kind: "holding", holding: admission.holding } : { kind: "over" });
      resolve(admission);
    }

    async function confirm(grant: Grant): Promise<void> {
      phase = { kind: "confirming", grant };
      const since = clock.now();
      try {
        const [answer] = await renew(calls, [credentialOf(grant)], ANSWER_WITHIN);
        if (phase.kind !== "confirming") return;
        if (answer?.kind === "renewed") hold({ ...grant, validFor: answer.validFor }, since);
        else fail(endedEarly(grant, answer?.kind === "ended" ? answer.end : "unconfirmed"));
      } catch (error) {
        fail(error);
      }
    }

    function fail(reason: unknown): void {
      if (phase.kind === "confirming" && signal.aborted) {
        const { ttl } = phase.grant;
        const said = ports.sayReleased({ credential: credentialOf(phase.grant), outcome: "ignored", ttl });
        underway.add(said);
        void said.then(() => underway.delete(said));
      }
      end(reason);
      stream.cut();
    }

    function over(error: Error | undefined): void {
      if (phase.kind === "holding") phase.holding.streamOver(error);
      else end(error ?? calls.toError("it ended the stream without a grant"));
    }

    function end(reason: unknown): void {
      if (phase.kind !== "waiting" && phase.kind !== "confirming") return;
      enter({ kind: "over" });
      reject(reason);
    }

    /** Leaves the phases in which the question can be taken back. */
    function enter(next: Phase): void {
      phase = next;
      waits.delete(fail);
      signal.removeEventListener("abort", takeBack);
    }
  });
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
