/** The calls of AdmissionService that a session carries. */

import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import {
  type AcquireRequest,
  AcquireRequestSchema,
  type AcquireResponse,
  AcquireResponseSchema,
  ReleaseRequestSchema,
  type ReleaseResponse,
  ReleaseResponseSchema,
  RenewedSchema,
  type RenewRequestSchema,
  type RenewResponse,
  RenewResponseSchema,
  type RenewResult,
  RenewResultSchema,
  TryAcquireRequestSchema,
  type TryAcquireResponse,
  TryAcquireResponseSchema,
} from "../gen/ggen/backpressure/v1/admission_service_pb.ts";
import { type LeaseEnd, WorkOutcome } from "../gen/ggen/backpressure/v1/lease_pb.ts";
import { Reason } from "../gen/ggen/backpressure/v1/reason_pb.ts";
import type { SessionRenewed } from "../gen/ggen/backpressure/v1/session_service_pb.ts";
import type { Clock } from "../rpc/clock.ts";
import { durationToMs } from "../wire/time.ts";
import { ask, type Bounds } from "./ask.ts";
import type { Answer, CommandTrace } from "./commands.ts";
import { ELSEWHERE, errorOfReason, reasonIn } from "./errors.ts";
import { createEventQueue, type EventQueue } from "./event-queue.ts";
import { endOfStatus, errorOfEnd } from "./lease-end.ts";
import { confirmGrant, type LeaseMember, type LeaseStream, type Leases } from "./leases.ts";
import type { Session } from "./session.ts";
import { type Elsewhere, openResume, openWait } from "./virtual-stream.ts";

export interface LeaseCallsPorts {
  readonly clock: Clock;
  readonly session: Session;
  readonly leases: Leases;
  /** Renews leases that are not the session's. */
  readonly renewElsewhere: (
    request: MessageInitShape<typeof RenewRequestSchema>,
    bounds: Bounds,
  ) => Promise<RenewResponse>;
}

export interface LeaseCalls {
  acquire(
    request: MessageInitShape<typeof AcquireRequestSchema>,
    signal: AbortSignal | undefined,
    elsewhere: Elsewhere<AcquireResponse>,
    trace?: CommandTrace,
  ): EventQueue<AcquireResponse>;
  tryAcquire(request: MessageInitShape<typeof TryAcquireRequestSchema>, bounds: Bounds): Promise<TryAcquireResponse>;
  release(request: MessageInitShape<typeof ReleaseRequestSchema>, bounds: Bounds): Promise<ReleaseResponse>;
  renew(request: MessageInitShape<typeof RenewRequestSchema>, bounds: Bounds): Promise<RenewResponse>;
  /** Ends a lease that no holder in this client uses; until the server has confirmed that, the lease is one of the session. */
  giveBack(lease: LeaseMember): void;
}

export function createLeaseCalls({ clock, session, leases, renewElsewhere }: LeaseCallsPorts): LeaseCalls {
  const ports = { session, members: leases, giveBack };

  function acquire(
    init: MessageInitShape<typeof AcquireRequestSchema>,
    signal: AbortSignal | undefined,
    elsewhere: Elsewhere<AcquireResponse>,
    trace?: CommandTrace,
  ): LeaseStream {
    const request = create(AcquireRequestSchema, init);
    const { resume } = request;
    // A lease with a secret of its own was granted without a session.
    if (!session.isCarried || (resume && resume.secret !== "")) return openElsewhere(request, elsewhere);
    if (resume) return takeUp(resume.leaseId, signal);
    const command = { case: "acquire" as const, value: { ...request, keepOnCancel: false } };
    return openWait(ports, { command, signal, trace, hear: hearAcquire, elsewhere });
  }

  function hearAcquire(answer: Answer, events: LeaseStream): LeaseMember | undefined {
    if (answer.case === "waiting") {
      events.push(create(AcquireResponseSchema, { event: answer }));
    } else if (answer.case === "granted") {
      const lease = leases.adopt(answer.value, events);
      events.push(create(AcquireResponseSchema, { event: answer }));
      // As the server ends the stream of a grant that holds nothing.
      if (lease === undefined) events.end();
      return lease;
    }
    return undefined;
  }

  function openElsewhere({ resume }: AcquireRequest, elsewhere: Elsewhere<AcquireResponse>): LeaseStream {
    const events = createEventQueue<AcquireResponse>();
    if (resume?.secret === "") events.end(errorOfReason("LEASE_NOT_FOUND", Code.NotFound, "its session is no more"));
    else elsewhere(events);
    return events;
  }

  function takeUp(leaseId: string, signal: AbortSignal | undefined): LeaseStream {
    const bounds = { signal, timeoutMs: undefined };
    return openResume(ports, {
      key: leaseId,
      signal,
      confirm(grant, renewed, events) {
        const event = { case: "granted" as const, value: confirmGrant(grant, leastOf(renewed)) };
        events.push(create(AcquireResponseSchema, { event }));
        const { revoking } = grant;
        if (revoking) events.push(create(AcquireResponseSchema, { event: { case: "revoking", value: revoking } }));
      },
      otherwise: (events) => void endOf(leaseId, bounds).then((end) => events.end(errorOfEnd(end)), events.end),
    });
  }

  async function tryAcquire(
    init: MessageInitShape<typeof TryAcquireRequestSchema>,
    bounds: Bounds,
  ): Promise<TryAcquireResponse> {
    const value = create(TryAcquireRequestSchema, init);
    const answer = await ask(clock, bounds, (asker) => {
      const id = session.submit(
        { case: "tryAcquire", value },
        {
          ...asker,
          onAnswer(said) {
            if (said.case === "granted") leases.adopt(said.value, undefined);
            asker.onAnswer(said);
          },
        },
        bounds.trace,
      );
      return () => void session.forget(id);
    });
    const result = answer.case === "granted" || answer.case === "refused" ? answer : undefined;
    return create(TryAcquireResponseSchema, { result });
  }

  /** One that its caller does not wait for any more is made all the same. */
  async function release(
    init: MessageInitShape<typeof ReleaseRequestSchema>,
    bounds: Bounds,
  ): Promise<ReleaseResponse> {
    const value = create(ReleaseRequestSchema, init);
    const { leaseId, secret } = value;
    const lease = leases.get(leaseId);
    if (lease?.state.kind === "ended") {
      leases.delete(lease);
      return create(ReleaseResponseSchema, { end: endOfStatus(lease.state.status), alreadyEnded: true });
    }
    if (lease === undefined && secret !== "") throw ELSEWHERE;
    const answer = await ask(clock, bounds, (asker) => {
      session.submit(
        { case: "release", value },
        {
          ...asker,
          onAnswer(said) {
            if (said.case === "released") over(leaseId);
            asker.onAnswer(said);
          },
        },
        bounds.trace,
      );
      return () => {};
    });
    return answer.case === "released" ? answer.value : create(ReleaseResponseSchema);
  }

  /** The server has confirmed its end to its holder. */
  function over(leaseId: string): void {
    const lease = leases.get(leaseId);
    if (lease === undefined) return;
    lease.stream?.end();
    leases.delete(lease);
  }

  function giveBack({ key: leaseId }: LeaseMember): void {
    const value = create(ReleaseRequestSchema, { leaseId, outcome: WorkOutcome.IGNORED });
    session.submit(
      { case: "release", value },
      {
        onAnswer: () => over(leaseId),
        // A server that has said no does not have it.
        onFailed: (error) => reasonIn(error) !== undefined && over(leaseId),
      },
    );
  }

  /** Asks how a lease has ended that does not live in the session. */
  async function endOf(leaseId: string, bounds: Bounds): Promise<LeaseEnd> {
    const { end } = await release({ leaseId, outcome: WorkOutcome.IGNORED }, bounds);
    return end;
  }

  async function renew(
    { leases: credentials = [] }: MessageInitShape<typeof RenewRequestSchema>,
    bounds: Bounds,
  ): Promise<RenewResponse> {
    const now = clock.now().monotonic;
    for (const { leaseId = "" } of credentials) {
      const lease = leases.get(leaseId);
      if (lease !== undefined) lease.wantedAt = now;
    }
    const others = credentials.filter(({ secret }) => secret !== "");
    const [renewed, elsewhere] = await Promise.all([
      others.length === credentials.length ? undefined : askToRenew(bounds),
      others.length === 0 ? undefined : renewElsewhere({ leases: others }, bounds),
    ]);
    const otherResults = (elsewhere?.results ?? []).values();
    const results = credentials.map(async ({ leaseId = "", secret }) => {
      const result = secret === "" ? await resultFor(leaseId, renewed, bounds) : otherResults.next().value;
      return result ?? create(RenewResultSchema, { leaseId });
    });
    return create(RenewResponseSchema, { results: await Promise.all(results) });
  }

  async function askToRenew(bounds: Bounds): Promise<SessionRenewed | undefined> {
    const answer = await ask(clock, bounds, (asker) => {
      session.renew(asker);
      return () => {};
    });
    return answer.case === "renewed" ? answer.value : undefined;
  }

  async function resultFor(leaseId: string, renewed: SessionRenewed | undefined, bounds: Bounds): Promise<RenewResult> {
    const lease = leases.get(leaseId);
    if (renewed !== undefined && lease?.state.kind === "living" && lease.grant !== undefined) {
      const { validFor } = confirmGrant(lease.grant, leastOf(renewed));
      const { revoking } = lease.grant;
      const value = create(RenewedSchema, {
        validFor,
        revoking: revoking !== undefined,
        expireTime: revoking?.endTime,
      });
      return create(RenewResultSchema, { leaseId, result: { case: "renewed", value } });
    }
    try {
      return create(RenewResultSchema, { leaseId, result: { case: "ended", value: await endOf(leaseId, bounds) } });
    } catch (error) {
      if (reasonIn(error) !== "LEASE_NOT_FOUND") throw error;
      return create(RenewResultSchema, {
        leaseId,
        result: { case: "refused", value: { reason: Reason.LEASE_NOT_FOUND } },
      });
    }
  }

  return { acquire, tryAcquire, release, renew, giveBack };
}

function leastOf({ validFor }: SessionRenewed): number {
  return validFor === undefined ? 0 : durationToMs(validFor);
}
