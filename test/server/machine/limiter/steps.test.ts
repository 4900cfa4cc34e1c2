import { describe, expect, test } from "vitest";
import { createMachine } from "../../../../src/server/machine/limiter/machine.ts";
import { limiterOf } from "../../../support/limiter-config.ts";

const CLAIMS = [{ limiter: "db", key: "", permits: 1, tokens: 0, slots: false }];
const ACQUIRE = {
  kind: "acquire",
  claims: CLAIMS,
  holder: "",
  maxWait: undefined,
  ttl: undefined,
  requestId: "",
  monitored: true,
  keepOnCancel: false,
  session: undefined,
} as const;

describe("what a step has come to", () => {
  test("stays as it was when the next steps have more to say", () => {
    const machine = createMachine({ maxWaiters: 10 });
    const created = machine.step({ kind: "create-limiter", config: limiterOf({ maxConcurrent: 1 }) }, 0);
    const wake = machine.step({ kind: "wake" }, 1);
    const granted = machine.step({ ...ACQUIRE, id: "first", stream: 1 }, 2);
    machine.step({ ...ACQUIRE, id: "second", stream: 2 }, 3);
    const released = machine.step({ kind: "release", leaseId: "first", workOutcome: "success", session: undefined }, 4);
    const renewed = machine.step({ kind: "renew", leaseId: "second" }, 5);
    expect([wake.events, wake.changes]).toEqual([[], []]);
    expect(created.changes.map(({ kind }) => kind)).toEqual(["limiter-put"]);
    expect(granted.changes.map(({ kind }) => kind)).toEqual(["lease-put"]);
    expect(granted.events).toEqual([]);
    expect(released.events.map(({ news }) => news.kind)).toEqual(["ended", "granted"]);
    expect(released.changes.map(({ kind }) => kind)).toEqual(["lease-ended", "waiter-left", "lease-put"]);
    expect([renewed.events, renewed.changes]).toEqual([[], []]);
  });
});
