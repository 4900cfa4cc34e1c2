/** Calls of a server that stops: what is under way is waited for, or sent away in words. */

import { expect, test, vi } from "vitest";
import { AdmissionService } from "../../../src/server/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { createCallsUnderWay } from "../../../src/server/service/calls-under-way.ts";
import { createRpcService, type ServerStream, type StreamEnd } from "../../../src/server/service/rpc.ts";
import { Code, internalError } from "../../../src/server/wire/error-wire.ts";

/** A service whose answers come when the test says so. */
function setUp() {
  const answers: PromiseWithResolvers<never>[] = [];
  /** As services see them. */
  const streams: ServerStream<never>[] = [];
  const calls = createCallsUnderWay();
  const service = calls.watch(
    createRpcService(AdmissionService, {
      tryAcquire() {
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
  const call = (name: string) => {
    const method = service.methods.find(({ descriptor }) => descriptor.localName === name);
    if (method?.kind !== "unary") throw new Error(`there is no ${name}`);
    return method.handle({}, { peer: "", timeout: undefined });
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
    method.handle({}, { peer: "", timeout: undefined, probed: true, ...stream });
    return { fail, end };
  };
  return { calls, service, answers, streams, call, open };
}

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

test("who still waits at the end is sent away with a time, and so is who comes later; what comes of it harms nobody", async () => {
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

test("what is not implemented is as it was", () => {
  const { service } = setUp();
  expect(service.methods.map(({ kind }) => kind)).toContain("unimplemented");
});
