/** Calls of a server that stops: what is under way is waited for, or sent away in words. */

import { expect, test, vi } from "vitest";
import { ANONYMOUS } from "../../../src/server/access/caller.ts";
import { AdmissionService } from "../../../src/server/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { createCallsUnderWay } from "../../../src/server/service/calls-under-way.ts";
import { type Call, createRpcService, type ServerStream, type StreamEnd } from "../../../src/server/service/rpc.ts";
import { Code, internalError } from "../../../src/server/wire/error-wire.ts";
import { callOf } from "../../support/call-of.ts";
import { createFakeClock } from "../../support/fake-clock.ts";

/** A service whose answers come when the test says so. */
function setUp() {
  const answers: PromiseWithResolvers<never>[] = [];
  /** As services see them. */
  const streams: ServerStream<never>[] = [];
  /** How often the service was notified that a caller is gone. */
  const gone: string[] = [];
  const clock = createFakeClock();
  const calls = createCallsUnderWay({ clock, bound: () => BOUND });
  const service = calls.watch(
    createRpcService(AdmissionService, {
      tryAcquire({ holder }, call) {
        call.onGone(() => gone.push(holder));
        const answer = Promise.withResolvers<never>();
        answers.push(answer);
        return answer.promise;
      },
      release: () => "at once" as never,
      acquire(_, stream) {
        streams.push(stream);
      },
    }),
  );
  const call = (name: string, { timeout, holder = "" }: { timeout?: number; holder?: string } = {}) => {
    const method = service.methods.find(({ descriptor }) => descriptor.localName === name);
    if (method?.kind !== "unary") throw new Error(`there is no ${name}`);
    return method.handle({ holder }, { ...callOf({ timeout }), onGone() {} });
  };
  /** How the transport's side of a new stream is ended. */
  const open = () => {
    const fail = vi.fn();
    const end: ((how: StreamEnd) => void)[] = [];
    const stream = {
      send: () => true,
      onWritable() {},
      end() {},
      fail,
      onEnd: (heard: (how: StreamEnd) => void) => end.push(heard),
    };
    const method = service.methods.find(({ kind }) => kind === "server_streaming");
    if (method?.kind !== "server_streaming") throw new Error("there is no stream");
    method.handle({}, { ...callOf(), probed: true, ...stream });
    return { fail, end };
  };
  return { calls, clock, service, answers, streams, gone, call, open };
}

/** µs: the drain's time. */
const BOUND = 10_000_000;

const NOT_KEPT = {
  code: Code.Unavailable,
  details: [{ value: { reason: "NOT_KEPT" } }, { value: { retryDelay: { seconds: 1n } } }],
};

const SENT_AWAY = {
  code: Code.Unavailable,
  details: [{ value: { reason: "DRAINING" } }, { value: { retryDelay: { seconds: 1n } } }],
};

/** All that promises have to do is done. */
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

test("a call is under way until it is answered, well or not, and what is answered at once never is", async () => {
  const { calls, answers, call } = setUp();
  const first = call("tryAcquire");
  const second = call("tryAcquire");
  expect([call("release"), calls.count]).toEqual(["at once", 2]);
  answers[0]?.resolve("answered" as never);
  answers[1]?.reject(new Error("a bug"));
  expect(await first).toBe("answered");
  await expect(second).rejects.toThrow("a bug");
  await turn();
  expect(calls.count).toBe(0);
});

test("calls that wait at the end, and later ones, are refused with a time to retry; late answers do no harm", async () => {
  const { calls, answers, call } = setUp();
  const waiting = [call("tryAcquire"), call("tryAcquire")];
  calls.sendAway();
  for (const answer of waiting) await expect(answer).rejects.toMatchObject(SENT_AWAY);
  expect(() => call("release")).toThrow(expect.objectContaining({ code: Code.Unavailable }));
  answers[0]?.resolve("late" as never);
  answers[1]?.reject(new Error("a late bug"));
  await turn();
  expect(calls.count).toBe(0);
});

test("a stream is under way until it speaks or ends, whichever side ends it", () => {
  const { calls, streams, open } = setUp();
  const ends: ((stream: ServerStream<never>, end: readonly ((how: StreamEnd) => void)[]) => void)[] = [
    (stream) => stream.send("spoken" as never),
    (stream) => stream.end(),
    (stream) => stream.fail(internalError()),
    (_, end) => end[0]?.("lost"),
  ];
  for (const [index, goOn] of ends.entries()) {
    const { end } = open();
    const stream = streams[index] as ServerStream<never>;
    stream.onEnd(() => {});
    expect(calls.count).toBe(1);
    goOn(stream, end);
    expect(calls.count).toBe(0);
  }
});

test("a stream that has not spoken at the end is sent away, one that has is left to its service", () => {
  const { calls, streams, open } = setUp();
  const silent = open();
  const spoken = open();
  streams[1]?.send("spoken" as never);
  calls.sendAway();
  expect(silent.fail.mock.calls).toMatchObject([[SENT_AWAY]]);
  expect(spoken.fail).not.toHaveBeenCalled();
  expect(open).toThrow(expect.objectContaining({ code: Code.Unavailable }));
});

test("a service sees who calls, and the headers of its call", () => {
  const seen: unknown[] = [];
  const note = (call: Call) => seen.push(call.caller.name, call.header("x-tenant"));
  const calls = createCallsUnderWay({ clock: createFakeClock(), bound: () => BOUND });
  const service = createRpcService(AdmissionService, {
    release: (_, call) => note(call) as never,
    acquire: (_, stream) => void note(stream),
  });
  const named = calls.watch(service);
  const call = callOf({ caller: { ...ANONYMOUS, name: "ann" }, header: (name) => `${name} of the request` });
  const stream = { ...call, probed: true, send: () => true, onWritable() {}, end() {}, fail() {}, onEnd() {} };
  for (const method of named.methods) {
    if (method.kind === "unary") method.handle({}, { ...call, onGone() {} });
    if (method.kind === "server_streaming") method.handle({}, stream);
  }
  expect(seen.sort()).toEqual(["ann", "ann", "x-tenant of the request", "x-tenant of the request"]);
});

test("what is not implemented is as it was", () => {
  const { service } = setUp();
  expect(service.methods.map(({ kind }) => kind)).toContain("unimplemented");
});

test("what is not kept within the drain's time is answered UNAVAILABLE, and its service hears that the caller is gone", async () => {
  const { calls, clock, answers, gone, call } = setUp();
  const waiting = call("tryAcquire", { holder: "patient" });
  clock.advance(BOUND - 100_000);
  await turn();
  expect([calls.count, gone]).toEqual([1, []]);
  clock.advance(200_000);
  await expect(waiting).rejects.toMatchObject(NOT_KEPT);
  expect([calls.count, gone]).toEqual([0, ["patient"]]);
  // What comes of it later harms nothing.
  answers[0]?.resolve("late" as never);
  await turn();
  expect(gone).toEqual(["patient"]);
});

test.each([
  ["a call of 2 s before its deadline", 2_000_000, 1_900_000],
  ["one of 100 ms, too", 100_000, 100_000],
])("%s", async (_, timeout, at) => {
  const { clock, gone, call } = setUp();
  const waiting = call("tryAcquire", { holder: "hurried", timeout });
  clock.advance(at);
  await expect(waiting).rejects.toMatchObject(NOT_KEPT);
  expect(gone).toEqual(["hurried"]);
});

test("a stream that has not spoken within the drain's time is refused, and its service hears of an end", () => {
  const { clock, streams, open } = setUp();
  const silent = open();
  const spoken = open();
  const ends: string[] = [];
  for (const [index, stream] of streams.entries()) stream.onEnd((how) => ends.push(`${index} ${how}`));
  streams[1]?.send("spoken" as never);
  clock.advance(BOUND + 100_000);
  expect(silent.fail.mock.calls).toMatchObject([[NOT_KEPT]]);
  expect(spoken.fail).not.toHaveBeenCalled();
  expect(ends).toEqual(["0 cancelled"]);
});

test("nothing is looked for while nothing is under way", async () => {
  const { clock, answers, call } = setUp();
  const waiting = call("tryAcquire");
  answers[0]?.resolve("answered" as never);
  await waiting;
  clock.advance(1_000_000);
  expect(clock.scheduled).toBe(0);
});
