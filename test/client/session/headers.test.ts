import type { Transport } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { checked, withHeaders, withoutTrace } from "../../../src/client/rpc/headers.ts";
import { createSessionTransport } from "../../../src/client/session/session-transport.ts";
import { createFixture, settle } from "../support/client-fixture.ts";

const SPANS = [1, 2, 3].map((at) => `00-4bf92f3577b34da6a3ce929d0e0e4736-000000000000000${at}-01`);

/** A client with headers, over a session as `connect()` makes it, and the headers of each call beneath. */
function createScene() {
  const calls: (readonly [method: string, headers: unknown])[] = [];
  const context = { span: SPANS[0] as string, token: "one" };
  const headers = () => ({ traceparent: context.span, tracestate: "mine=1", authorization: context.token });
  const recorded = ({ unary, stream }: Transport): Transport => ({
    unary(method, signal, timeoutMs, header, ...rest) {
      calls.push([method.name, header]);
      return unary(method, signal, timeoutMs, header, ...rest);
    },
    stream(method, signal, timeoutMs, header, ...rest) {
      calls.push([method.name, header]);
      return stream(method, signal, timeoutMs, header, ...rest);
    },
  });
  const fixture = createFixture({
    headers,
    over: (transport, clock) =>
      createSessionTransport({
        transport: withHeaders(recorded(transport), headers),
        headers: () => withoutTrace(checked(headers())),
        clock,
        defer: (callback) => void setImmediate(callback),
        openWithin: 1_000,
        onRest: () => {},
      }),
  });
  return { ...fixture, context, calls };
}

test("the trace of each call goes with its command, and all else with the session", async () => {
  const { client, service, context, calls } = createScene();
  for (const span of SPANS) {
    context.span = span;
    void client.tryAcquire("db").catch(() => {});
  }
  const session = await service.session.next();
  const { commands } = await session.requests.next();
  expect(commands.map(({ traceparent, tracestate }) => [traceparent, tracestate])).toEqual(
    SPANS.map((span) => [span, "mine=1"]),
  );
  expect(calls).toEqual([["Session", { authorization: "one" }]]);
});

test("a session that is opened again has the headers of then", async () => {
  const { client, service, clock, context, calls } = createScene();
  void client.tryAcquire("db").catch(() => {});
  (await service.session.next()).end();
  await settle();
  context.token = "two";
  clock.advance(5_000);
  await service.session.next();
  expect(calls.map(([, header]) => header)).toContainEqual({ authorization: "two" });
});

test("what goes beside the session has the trace, too", async () => {
  const { client, service, calls } = createScene();
  void client.limiters.get("db").catch(() => {});
  await service.getLimiter.next();
  expect(calls).toEqual([["GetLimiter", { traceparent: SPANS[0], tracestate: "mine=1", authorization: "one" }]]);
});
