import type { Transport } from "@connectrpc/connect";
import { describe, expect, it, test } from "vitest";
import { LeaseEnd } from "../../src/client/gen/ggen/backpressure/v1/lease_pb.ts";
import { checked, type HeadersOf, requestHeaders } from "../../src/client/rpc/headers.ts";
import { createFixture, granted, RENEW_AFTER, settle } from "./support/client-fixture.ts";
import { connectionLost } from "./support/fake-service.ts";

const GRANTED = { result: { case: "granted" as const, value: granted() } };
const SPAN = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const OTHER_SPAN = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b8-01";

/** A client, and the headers of each call that it makes. */
function createScene(headers: HeadersOf) {
  const calls: (readonly [method: string, headers: unknown])[] = [];
  const over = ({ unary, stream }: Transport): Transport => ({
    unary(method, signal, timeoutMs, header, ...rest) {
      calls.push([method.name, header]);
      return unary(method, signal, timeoutMs, header, ...rest);
    },
    stream(method, signal, timeoutMs, header, ...rest) {
      calls.push([method.name, header]);
      return stream(method, signal, timeoutMs, header, ...rest);
    },
  });
  return { ...createFixture({ headers, over }), calls };
}

describe("headers of a client", () => {
  it("go with each call, said anew", async () => {
    let said = 0;
    const { client, service, clock, calls } = createScene(() => {
      said += 1;
      return { "X-Call": String(said) };
    });
    const trying = client.tryAcquire("db", { ttl: 6000 });
    (await service.tryAcquire.next()).answer(GRANTED);
    const lease = await trying;
    clock.advance(RENEW_AFTER);
    await service.renew.next();
    const releasing = lease.granted && lease.release();
    (await service.release.next()).answer({ end: LeaseEnd.RELEASED });
    await releasing;
    expect(calls).toEqual([
      ["TryAcquire", { "x-call": "1" }],
      ["Renew", { "x-call": "2" }],
      ["Release", { "x-call": "3" }],
    ]);
  });

  it("are asked for while the code that asks for a lease is running", async () => {
    let context: string | undefined;
    const { client, service, calls } = createScene(() => ({ traceparent: context ?? "none" }));
    const within = <T>(own: string, make: () => T): T => {
      context = own;
      const made = make();
      context = undefined;
      return made;
    };
    void within(SPAN, () => client.acquire("db")).catch(() => {});
    void within(OTHER_SPAN, () => client.tryAcquire("db")).catch(() => {});
    await service.acquire.next();
    await service.tryAcquire.next();
    expect(calls).toEqual(
      expect.arrayContaining([
        ["Acquire", { traceparent: SPAN }],
        ["TryAcquire", { traceparent: OTHER_SPAN }],
      ]),
    );
  });

  it("of a retry are said anew, but for the trace of the request", async () => {
    let token = 0;
    let traceparent = SPAN;
    const { client, service, clock, calls } = createScene(() => {
      token += 1;
      return { traceparent, authorization: `token ${token}` };
    });
    const trying = client.tryAcquire("db");
    traceparent = OTHER_SPAN;
    (await service.tryAcquire.next()).fail(connectionLost());
    await settle();
    clock.advance(5_000);
    (await service.tryAcquire.next()).answer(GRANTED);
    await trying;
    expect(calls).toEqual([
      ["TryAcquire", { traceparent: SPAN, authorization: "token 1" }],
      ["TryAcquire", { traceparent: SPAN, authorization: "token 2" }],
    ]);
  });

  it("of one request stand beside the client's, and win", async () => {
    const { client, service, calls } = createScene(() => ({ a: "client", b: "client" }));
    void client.tryAcquire("db", { headers: { B: "own" } });
    await service.tryAcquire.next();
    expect(calls).toEqual([["TryAcquire", { a: "client", b: "own" }]]);
  });

  it("of one request need none of the client's", async () => {
    const calls: unknown[] = [];
    const { client, service } = createFixture({
      over: ({ unary, stream }) => ({
        unary(method, signal, timeoutMs, header, ...rest) {
          calls.push(header);
          return unary(method, signal, timeoutMs, header, ...rest);
        },
        stream,
      }),
    });
    void client.tryAcquire("db", { headers: { traceparent: SPAN } });
    await service.tryAcquire.next();
    void client.tryAcquire("db");
    await service.tryAcquire.next();
    expect(calls).toEqual([{ traceparent: SPAN }, undefined]);
  });
});

describe("what the function throws, and what cannot be sent, is an error of the call and no outage", () => {
  const broken = new Error("no context here");
  test.each<[string, () => never, Error | RegExp]>([
    [
      "an error",
      () => {
        throw broken;
      },
      broken,
    ],
    ["a promise", () => Promise.resolve({}) as never, /must be said at once, as an object such as/],
    ["nothing", () => undefined as never, /must be said at once, as an object such as/],
    ["a value that is none", () => ({ traceparent: undefined }) as never, /the header "traceparent" cannot be sent/],
    [
      "a value of two lines",
      () => ({ a: "secret\r\nb: c" }) as never,
      /the header "a" cannot be sent: .* printable ASCII/,
    ],
    ["a name that is none", () => ({ "a b": "c" }) as never, /the header "a b" cannot be sent/],
    ["a name with a colon", () => ({ "a:b": "c" }) as never, /the header "a:b" cannot be sent/],
    ["a header of the protocol's", () => ({ "grpc-timeout": "1S" }) as never, /"grpc-timeout" cannot be sent/],
    ["another one", () => ({ TE: "trailers" }) as never, /"TE" cannot be sent/],
  ])("%s", async (_what, headers, expected) => {
    const { client, calls } = createScene(headers);
    for (const call of [client.acquire("db"), client.tryAcquire("db"), client.limiters.get("db")]) {
      const thrown = await call.then(
        () => undefined,
        (error: unknown) => error,
      );
      if (expected instanceof Error) expect(thrown).toBe(expected);
      else expect(thrown).toBeInstanceOf(TypeError);
      if (expected instanceof RegExp) expect((thrown as Error).message).toMatch(expected);
      expect((thrown as Error).message).not.toContain("secret");
    }
    expect(calls).toEqual([]);
  });
});

test("a request that has no headers costs none", () => {
  expect(requestHeaders(undefined, undefined)()).toEqual({});
  expect(checked({})).toEqual({});
});
