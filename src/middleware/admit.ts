/** The admission of one request: asked for while its client is there, held until its response has ended. */

import type { Lease, WorkOutcome } from "../client/api/lease.ts";
import { watchExchange } from "./exchange.ts";
import type { HttpRequest, HttpResponse } from "./http-types.ts";
import type { AdmissionOptions, Gate } from "./options.ts";
import { answerError, answerRefusal, type RefusalAnswer } from "./refusal-answer.ts";

/** What became of a request. */
export type Admission =
  /** It may go on. Without a lease it needed none. */
  | { readonly kind: "admitted"; readonly lease: Lease | undefined }
  | { readonly kind: "refused"; readonly answer: RefusalAnswer }
  /** Its client has gone: there is nothing to answer. */
  | { readonly kind: "gone" };

/** A request as the framework knows it, and as Node does. */
export interface Exchanged<R> {
  readonly request: R;
  readonly raw: HttpRequest;
  readonly response: HttpResponse;
}

const leases = new WeakMap<object, Lease>();

/** Returns the lease under which a request is handled: stop when its `signal` aborts. */
export function leaseOfRaw(raw: HttpRequest): Lease | undefined {
  return leases.get(raw);
}

/** Keeps the lease of a request for its handler. */
export function keepLease(raw: HttpRequest, lease: Lease): void {
  leases.set(raw, lease);
}

/** Rejects with what is a mistake of the developer. */
export async function admit<R>(
  gate: Gate<R>,
  { skip, outcomeOf = defaultOutcome }: Pick<AdmissionOptions<R>, "skip" | "outcomeOf">,
  { request, raw, response }: Exchanged<R>,
): Promise<Admission> {
  if (skip?.(request)) return { kind: "admitted", lease: undefined };
  const exchange = watchExchange(raw, response);
  const asked = await ask(
    gate,
    request,
    (listener) => exchange.onOver(listener),
    () => exchange.isOver,
  );
  if (asked.kind !== "admitted" || asked.lease === undefined) return asked;
  const { lease } = asked;
  keepLease(raw, lease);
  exchange.onOver(() => {
    void lease.release(outcomeOf(exchange.isSent ? response.statusCode : "aborted", request));
  });
  return asked;
}

/** Asks until the client has gone. */
export async function ask<R>(
  gate: Gate<R>,
  request: R,
  onOver: (listener: () => void) => void,
  isOver: () => boolean,
): Promise<Admission> {
  if (isOver()) return { kind: "gone" };
  const gone = new AbortController();
  let isAnswered = false;
  // Once the lease is held, it is released with the response.
  onOver(() => {
    if (!isAnswered) gone.abort(new Error("the client of the request has gone"));
  });
  let waitersAhead: number | undefined;
  const onWaiting = (notice: { readonly waitersAhead: number }) => {
    waitersAhead = notice.waitersAhead;
  };
  try {
    const lease = await gate(request, { signal: gone.signal, onWaiting });
    if (isOver()) {
      if (lease.granted) void lease.release("ignored");
      return { kind: "gone" };
    }
    return lease.granted ? { kind: "admitted", lease } : { kind: "refused", answer: answerRefusal(lease) };
  } catch (error) {
    if (isOver()) return { kind: "gone" };
    const answer = answerError(error, waitersAhead);
    if (answer === undefined) throw error;
    return { kind: "refused", answer };
  } finally {
    isAnswered = true;
  }
}

function defaultOutcome(status: number | "aborted"): WorkOutcome {
  if (status === 503 || status === 504) return "overloaded";
  return status === "aborted" || status >= 500 ? "ignored" : "success";
}

/** Sends the answer of a refusal. */
export function sendAnswer(
  { status, headers, body }: RefusalAnswer,
  { method }: HttpRequest,
  response: HttpResponse,
): void {
  response.statusCode = status;
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  response.end(method === "HEAD" ? "" : body);
}
