/** `ggen-backpressure/fastify`: admission for Fastify 5, as an `onRequest` hook. */

import type { AdmissionController } from "../client/api/admission-controller.ts";
import type { Client } from "../client/api/client.ts";
import type { Lease } from "../client/api/lease.ts";
import { admit, leaseOfRaw } from "./admit.ts";
import type { HttpRequest, HttpResponse } from "./http-types.ts";
import { type AdmissionOptions, type ClientAdmissionOptions, createGate } from "./options.ts";

export type { HttpRequest, HttpResponse } from "./http-types.ts";
export type { AdmissionOptions, ClientAdmissionOptions, OfRequest } from "./options.ts";

/** What is used of Fastify's request. */
export interface RawRequest {
  readonly raw: HttpRequest;
}

/** What is used of Fastify's reply. */
export interface RawReply {
  readonly raw: HttpResponse;
  code(status: number): unknown;
  headers(headers: Record<string, string>): unknown;
  send(body: string): unknown;
  hijack(): unknown;
}

/** A hook of Fastify. */
export type Hook<R> = (request: R, reply: RawReply) => Promise<unknown>;

/**
 * Admits each request before its handler runs: `fastify.addHook("onRequest", admission(client, { limiter: "payments-db" }))`,
 * or as `onRequest` of a route. The lease ends with the response: when it was sent, its client goes away, or an error of a
 * handler is answered.
 *
 * Answers 429 for a "not now" and 503 where the server cannot be asked, both with `Retry-After`. What can never be
 * admitted, as a limiter that does not exist, is a mistake of the developer and goes to the error handler.
 */
export function admission<R extends RawRequest>(client: Client, options: ClientAdmissionOptions<R>): Hook<R>;
/** The same over one limiter, of the service (`client.controller("db")`) or of this process (`createRateLimiter`). */
export function admission<R extends RawRequest>(
  controller: AdmissionController,
  options?: AdmissionOptions<R>,
): Hook<R>;
export function admission<R extends RawRequest>(
  admits: Client | AdmissionController,
  options: AdmissionOptions<R> = {},
): Hook<R> {
  const gate = createGate(admits, options);
  return async (request, reply) => {
    const admission = await admit(gate, options, { request, raw: request.raw, response: reply.raw });
    if (admission.kind === "admitted") return undefined;
    if (admission.kind === "gone") {
      reply.hijack();
      return undefined;
    }
    const { status, headers, body } = admission.answer;
    reply.code(status);
    reply.headers({ ...headers });
    reply.send(body);
    return reply;
  };
}

/** Returns the lease under which a request is handled: stop when its `signal` aborts. */
export function leaseOf(request: RawRequest): Lease | undefined {
  return leaseOfRaw(request.raw);
}
