/**
 * Callers of TryAcquire under request ids: by calls, or by the commands of a session. A session that was lost is taken up again, or
 * left for a new one.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { AdmissionService, type Granted } from "../../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import type { SessionOpened } from "../../../src/client/gen/ggen/backpressure/v1/session_service_pb.ts";
import { openSession, tryAcquireOf } from "../../e2e/support/session.ts";
import { CallFailure } from "../../support/call-failure.ts";
import type { Carrier } from "../../support/carrier.ts";
import { createGrpcClient } from "../../support/grpc-client.ts";

export interface Caller extends AsyncDisposable {
  /** Resolves with the id of the lease; undefined: no answer has come. Rejects where it was refused. */
  tryAcquire(limiter: string, requestId: string): Promise<string | undefined>;
}

/** ms between two attempts to open a session. */
const PAUSE = 20;

export function startCaller(carrier: Carrier, address: string): Caller {
  return carrier === "streams" ? callByCalls(address) : callBySession(address);
}

function callByCalls(address: string): Caller {
  const client = createGrpcClient(address);
  return {
    async tryAcquire(limiter, requestId) {
      try {
        const { result } = await client.call(AdmissionService.method.tryAcquire, { claims: [{ limiter }], requestId });
        return leaseIdOf(result);
      } catch (error) {
        if (error instanceof CallFailure) return undefined;
        throw error;
      }
    },
    [Symbol.asyncDispose]: () => client[Symbol.asyncDispose](),
  };
}

function callBySession(address: string): Caller {
  /** Leases that the session has granted, as its client has heard. */
  let heard: string[] = [];
  let credential: SessionOpened["credential"];
  let session: ReturnType<typeof openSession> | undefined;

  async function open(): Promise<ReturnType<typeof openSession> | undefined> {
    const resume = heard.length > 0 && Math.random() < 0.7 ? credential : undefined;
    const next = openSession(address);
    const opened = await next.open({ keepOnCancel: true, resume }).catch(() => undefined);
    if (opened === undefined) {
      next.client.close();
      if ((await next.ended)?.reason === "SESSION_NOT_FOUND") throw new Error("a session that holds leases is gone");
      await sleep(PAUSE);
      return undefined;
    }
    if (resume === undefined) heard = [];
    const gone = heard.filter((id) => !opened.leaseIds.includes(id));
    if (gone.length > 0) throw new Error(`a session that was taken up again has lost ${gone}`);
    credential = opened.credential;
    return next;
  }

  return {
    async tryAcquire(limiter, requestId) {
      session ??= await open();
      const answer = await session?.ask(tryAcquireOf(limiter, { requestId })).catch(() => undefined);
      if (answer === undefined) {
        session?.client.close();
        session = undefined;
        return undefined;
      }
      // As a call that ends with this status.
      if (answer.case === "failed") return undefined;
      const id = leaseIdOf(answer);
      heard.push(id);
      return id;
    },
    async [Symbol.asyncDispose]() {
      session?.lose();
      session?.client.close();
    },
  };
}

function leaseIdOf(answer: { readonly case: string | undefined; readonly value?: unknown }): string {
  if (answer.case !== "granted") throw new Error(`refused: ${(answer.value as Error | undefined)?.message}`);
  return (answer.value as Granted).lease?.id ?? "";
}
