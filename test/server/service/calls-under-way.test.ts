/** Calls of a server that stops: what is under way is waited for, or sent away in words. */

import { expect, test } from "vitest";
import { AdmissionService } from "../../../src/client/gen/ggen/backpressure/v1/admission_service_pb.ts";
import { createCallsUnderWay } from "../../../src/server/service/calls-under-way.ts";
import { createRpcService } from "../../../src/server/service/rpc.ts";
import { Code } from "../../../src/server/wire/error-wire.ts";

/** A service whose answers come when the test says so. */
function setUp() {
  const answers: PromiseWithResolvers<never>[] = [];
  const calls = createCallsUnderWay();
  const service = calls.watch(
    createRpcService(AdmissionService, {
      tryAcquire() {
        const answer = Promise.withResolvers<never>();
        answers.push(answer);
        return answer.promise;
      },
      release: () => "at once" as never,
      acquire() {},
    }),
  );
  const call = (name: string) => {
    const method = service.methods.find(({ descriptor }) => descriptor.localName === name);
    if (method?.kind !== "unary") throw new Error(`there is no ${name}`);
    return method.handle({}, { peer: "", timeout: undefined });
  };
  return { calls, service, answers, call };
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

test("streams and what is not implemented are as they were", () => {
  const { service } = setUp();
  expect(service.methods.map(({ kind }) => kind)).toContain("server_streaming");
  expect(service.methods.map(({ kind }) => kind)).toContain("unimplemented");
});
