import { once } from "node:events";
import { Agent, type IncomingMessage, request as requestHttp1 } from "node:http";
import { connect as connectTcp } from "node:net";
import { create, toBinary } from "@bufbuild/protobuf";
import { expect, onTestFinished, test } from "vitest";
import {
  AcquireRequestSchema,
  AdmissionService,
} from "../../../src/server/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { draining } from "../../../src/server/wire/error-wire.ts";
import { createFakeClock } from "../../support/fake-clock.ts";
import { pathOf } from "./support/grpc-client.ts";
import { createHeldService } from "./support/held-service.ts";
import { connectHttp2, envelope, openGrpcCall, outcomeOf } from "./support/http2-client.ts";
import { startWeb } from "./support/ports.ts";

const ACQUIRE = pathOf(AdmissionService.method.acquire);
const REQUEST = envelope(toBinary(AcquireRequestSchema, create(AcquireRequestSchema, { claims: [{ limiter: "l" }] })));

/** Calls Acquire over an HTTP/1.1 connection that is kept; resolves with the response as it begins. */
async function acquireHttp1(port: number, agent: Agent): Promise<IncomingMessage> {
  const headers = { "content-type": "application/connect+proto" };
  const request = requestHttp1({ port, agent, path: ACQUIRE, method: "POST", headers });
  request.on("error", () => {});
  request.end(REQUEST);
  const [response] = await once(request, "response");
  return response;
}

function keepingAgent(): Agent {
  const agent = new Agent({ keepAlive: true });
  onTestFinished(() => agent.destroy());
  return agent;
}

test("a port that drains takes no connections, sends the idle ones away and lets open calls go on", async () => {
  const held = createHeldService();
  const { address, port, transport } = await startWeb([held.service]);
  const idle = connectHttp2(address);
  await once(idle, "connect");
  const undecided = connectTcp(port, "127.0.0.1");
  await once(undecided, "connect");
  const session = connectHttp2(address);
  const call = openGrpcCall(session, ACQUIRE);
  call.end(REQUEST);
  const outcome = outcomeOf(call);
  const http2 = await held.acquires.next();
  const response = await acquireHttp1(port, keepingAgent());
  const { socket } = response;
  const http1 = await held.acquires.next();

  const goaway = once(session, "goaway");
  transport.drain();
  transport.drain();
  expect((await goaway)[0]).toBe(0);
  await Promise.all([once(idle, "close"), once(undecided.resume(), "close")]);
  const [refused] = await once(connectTcp(port, "127.0.0.1"), "error");
  expect(refused.code).toBe("ECONNREFUSED");
  expect(held.endings).toEqual([]);

  http2.stream.end();
  expect(await outcome).toMatchObject({ status: "0" });
  await once(session, "close");
  http1.stream.end();
  response.resume();
  // A kept connection is closed as soon as its call is over.
  await once(socket, "close");
});

test("what is said just before a port closes arrives, and what is still open is lost", async () => {
  const held = createHeldService();
  const { address, port, transport } = await startWeb([held.service]);
  const session = connectHttp2(address);
  const calls = [0, 1].map(() => openGrpcCall(session, ACQUIRE));
  for (const call of calls) call.end(REQUEST);
  const outcomes = Promise.all(calls.map(outcomeOf));
  const [failed, open] = [await held.acquires.next(), await held.acquires.next()];
  const response = await acquireHttp1(port, keepingAgent());
  const http1 = await held.acquires.next();
  failed.stream.fail(draining(1_000_000));
  http1.stream.fail(draining(1_000_000));
  const closed = transport.close();
  expect(await open.ended).toBe("lost");
  await closed;
  await transport.close();
  expect((await outcomes).map(({ status }) => status).sort()).toEqual(["14", undefined]);
  let text = "";
  for await (const chunk of response) text += chunk.toString("latin1");
  expect(text).toContain("unavailable");
  expect(held.endings).toEqual(["lost"]);
});

test("a port that closes waits for last words, then ends its connections, and for none of them longer", async () => {
  const clock = createFakeClock();
  const held = createHeldService();
  const { address, port, transport } = await startWeb([held.service], { clock });
  openGrpcCall(connectHttp2(address), ACQUIRE).end(REQUEST);
  await held.acquires.next();
  await acquireHttp1(port, keepingAgent());
  const closed = transport.close();
  clock.advance(50_000);
  await closed;
  expect(held.endings).toEqual(["lost", "lost"]);
});

test("a port closes also while clients read nothing", async () => {
  const held = createHeldService();
  const { address, port, transport } = await startWeb([held.service]);
  openGrpcCall(connectHttp2(address, { settings: { initialWindowSize: 0 } }), ACQUIRE).end(REQUEST);
  await held.acquires.next();
  await acquireHttp1(port, keepingAgent());
  await transport.close();
  expect(held.endings).toEqual(["lost", "lost"]);
});

test("a port that never listened closes too", async () => {
  const { transport } = await startWeb([]);
  await transport.close();
});
