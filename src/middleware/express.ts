/** `ggen-backpressure/express`: admission for Express 4 and 5, and whatever takes `(req, res, next)`. */

import type { AdmissionController } from "../client/api/admission-controller.ts";
import type { Client } from "../client/api/client.ts";
import type { Lease } from "../client/api/lease.ts";
import { admit, leaseOfRaw, sendAnswer } from "./admit.ts";
import type { HttpRequest, HttpResponse } from "./http-types.ts";
import { type AdmissionOptions, type ClientAdmissionOptions, createGate } from "./options.ts";

export type { HttpRequest, HttpResponse } from "./http-types.ts";
export type { AdmissionOptions, ClientAdmissionOptions, OfRequest } from "./options.ts";

/** A middleware of Express. */
export type Middleware<R> = (request: R, response: HttpResponse, next: (error?: unknown) => void) => void;

/**
 * Admits each request before the handlers after it run: `app.use(admission(client, { limiter: "payments-db" }))`. The lease
 * ends with the response: when it was sent, its client goes away, or an error of a handler is answered.
 *
 * Answers 429 for a "not now" and 503 where the server cannot be asked, both with `Retry-After`. What can never be
 * admitted, as a limiter that does not exist, is a mistake of the developer and goes to `next(error)`.
 */
export function admission<R extends HttpRequest>(client: Client, options: ClientAdmissionOptions<R>): Middleware<R>;
/** The same over one limiter, of the service (`client.controller("db")`) or of this process (`createRateLimiter`). */
export function admission<R extends HttpRequest>(
  controller: AdmissionController,
  options?: AdmissionOptions<R>,
): Middleware<R>;
export function admission<R extends HttpRequest>(
  admits: Client | AdmissionController,
  options: AdmissionOptions<R> = {},
): Middleware<R> {
  const gate = createGate(admits, options);
  return (request, response, next) => {
    admit(gate, options, { request, raw: request, response }).then((admission) => {
      if (admission.kind === "admitted") next();
      else if (admission.kind === "refused") sendAnswer(admission.answer, request, response);
    }, next);
  };
}

/** Returns the lease under which a request is handled: stop when its `signal` aborts. */
export function leaseOf(request: HttpRequest): Lease | undefined {
  return leaseOfRaw(request);
}
