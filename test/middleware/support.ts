/** Servers of every kind that has a middleware, each with one handler behind it. */

import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import * as http2 from "node:http2";
import type { AddressInfo, Server } from "node:net";
import express from "express";
// @ts-expect-error its types would be those of Express 5.
import express4 from "express4";
import fastify from "fastify";
import { onTestFinished } from "vitest";
import type { AdmissionController } from "../../src/client/api/admission-controller.ts";
import type { Client } from "../../src/client/api/client.ts";
import type { Lease } from "../../src/client/api/lease.ts";
import * as forExpress from "../../src/middleware/express.ts";
import * as forFastify from "../../src/middleware/fastify.ts";
import * as forHttp from "../../src/middleware/http.ts";

export type Respond = (response: ServerResponse, lease: Lease | undefined, request: IncomingMessage) => unknown;

export interface Site {
  readonly url: string;
  readonly port: number;
  /** The mistakes that were reported to the developer. */
  readonly mistakes: unknown[];
}

interface Options {
  readonly limiter: string;
  readonly maxWait?: number;
  readonly onUnavailable?: "closed" | "open";
  readonly outcomeOf?: (status: number | "aborted") => "success" | "overloaded" | "ignored";
  readonly skip?: (request: { readonly url?: string }) => boolean;
}

export type Start = (admits: Client | AdmissionController, options: Options, respond: Respond) => Promise<Site>;

/** Listens on a free port until the test has finished. */
export async function serve(
  server: Server & { closeAllConnections?(): void },
  mistakes: unknown[] = [],
): Promise<Site> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections?.();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/`, port, mistakes };
}

// The overloads want to know which it is; what runs finds out by itself.
const asClient = (admits: Client | AdmissionController) => admits as Client;

function startExpress(framework: typeof express): Start {
  return (admits, options, respond) => {
    const mistakes: unknown[] = [];
    const app = framework();
    app.use(forExpress.admission(asClient(admits), options));
    app.use((request, response, next) => {
      Promise.resolve()
        .then(() => respond(response, forExpress.leaseOf(request), request))
        .catch(next);
    });
    app.use(((error, _request, response, _next) => {
      mistakes.push(error);
      response.status(500).end();
    }) as express.ErrorRequestHandler);
    return serve(createServer(app as unknown as RequestListener), mistakes);
  };
}

const startHttp: Start = (admits, options, respond) => {
  const mistakes: unknown[] = [];
  const onError = (error: unknown) => mistakes.push(error);
  const handler = (request: IncomingMessage, response: ServerResponse) =>
    respond(response, forHttp.leaseOf(request), request);
  return serve(createServer(forHttp.admission(asClient(admits), { ...options, onError }, handler)), mistakes);
};

const startFastify: Start = async (admits, options, respond) => {
  const mistakes: unknown[] = [];
  const app = fastify({ forceCloseConnections: true });
  app.addHook(
    "onRequest",
    forFastify.admission(asClient(admits), {
      ...options,
      skip: (request: { readonly raw: { readonly url?: string | undefined } }) =>
        options.skip?.({ url: request.raw.url ?? "" }) ?? false,
    }),
  );
  app.setErrorHandler((error, _request, reply) => {
    mistakes.push(error);
    return reply.code(500).send();
  });
  app.all("/*", async (request, reply) => {
    await respond(reply.raw, forFastify.leaseOf(request), request.raw);
    return reply.hijack();
  });
  const url = await app.listen({ port: 0, host: "127.0.0.1" });
  onTestFinished(() => app.close());
  return { url: `${url}/`, port: Number(new URL(url).port), mistakes };
};

export const startExpress5 = startExpress(express);

/** Those that HTTP/1.1 clients can ask. */
export const KINDS: readonly (readonly [string, Start])[] = [
  ["plain HTTP", startHttp],
  ["Express 5", startExpress5],
  ["Express 4", startExpress(express4 as typeof express)],
  ["Fastify 5", startFastify],
];

/** Plain HTTP/2, through Node's compatible objects. */
export const startHttp2: Start = async (admits, options, respond) => {
  const mistakes: unknown[] = [];
  const onError = (error: unknown) => mistakes.push(error);
  const sessions = new Set<http2.Http2Session>();
  const server = http2.createServer(
    forHttp.admission<http2.Http2ServerRequest, http2.Http2ServerResponse>(
      asClient(admits),
      { ...options, onError },
      (request, response) =>
        respond(response as unknown as ServerResponse, forHttp.leaseOf(request), request as unknown as IncomingMessage),
    ),
  );
  server.on("session", (session) => sessions.add(session));
  onTestFinished(() => {
    for (const session of sessions) session.destroy();
  });
  return serve(server, mistakes);
};
