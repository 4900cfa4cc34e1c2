import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import { describe, expect, test } from "vitest";
import type { Caller } from "../../../src/server/access/caller.ts";
import { createCallerQuotas, createQuotaMemory, type QuotaMemory } from "../../../src/server/access/caller-quotas.ts";
import type { Bounds } from "../../../src/server/access/rights.ts";
import { createFakeClock } from "../../support/fake-clock.ts";

const callerNamed = (name: string): Caller => {
  return { name, tenant: "", groups: [], kind: "token", expiresAt: undefined, claims: {} };
};
const [APP, OTHER] = [callerNamed("token:app"), callerNamed("token:other")];

const openSocket = () => Object.assign(new EventEmitter(), { destroyed: false }) as unknown as Socket;
const close = (socket: Socket) => socket.emit("close");

/** As two threads see them. `memories`: one for both, or one each. */
function setup(bounds: Partial<Bounds>, memories: readonly QuotaMemory[] = [createQuotaMemory(2)]) {
  const clock = createFakeClock();
  let inForce = bounds;
  const [one, two] = [0, 1].map((own) =>
    createCallerQuotas({
      memory: memories[own] ?? (memories[0] as QuotaMemory),
      own,
      now: clock.now,
      boundsOf: () => inForce,
    }),
  );
  if (one === undefined || two === undefined) throw new Error("there are two");
  return {
    clock,
    one,
    two,
    setBounds(next: Partial<Bounds>) {
      inForce = next;
    },
  };
}

describe("requests a second", () => {
  test("hold over all threads in sum, and for each caller by itself", () => {
    const { clock, one, two } = setup({ maxRequestsPerSecond: 10 });
    const asked = Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? one : two).refusalOfRequest(APP, "asks"));
    expect(asked.filter((no) => no === undefined)).toHaveLength(10);
    expect(asked[19]).toMatchObject({
      reason: "CALLER_QUOTA",
      numbers: { maxRequestsPerSecond: 10 },
      retryAfter: 100_000,
    });
    expect(two.refusalOfRequest(OTHER, "asks")).toBeUndefined();
    clock.advance(100_000);
    expect([one, two].map((thread) => thread.refusalOfRequest(APP, "asks") === undefined)).toEqual([true, false]);
  });

  test("the control: threads that share nothing let each as many through", () => {
    const { one, two } = setup({ maxRequestsPerSecond: 10 }, [createQuotaMemory(2), createQuotaMemory(2)]);
    const asked = Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? one : two).refusalOfRequest(APP, "asks"));
    expect(asked.filter((no) => no === undefined)).toHaveLength(20);
  });

  test("leave room for what gives back, which is bounded, too", () => {
    const { one } = setup({ maxRequestsPerSecond: 10 });
    for (let i = 0; i < 10; i++) one.refusalOfRequest(APP, "asks");
    expect(one.refusalOfRequest(APP, "asks")).toBeDefined();
    const given = Array.from({ length: 15 }, () => one.refusalOfRequest(APP, "gives-back") === undefined);
    expect(given.filter(Boolean)).toHaveLength(10);
  });

  test("are none where nothing bounds them, and others once the bounds change", () => {
    const { one, setBounds } = setup({});
    for (let i = 0; i < 10_000; i++) expect(one.refusalOfRequest(APP, "asks")).toBeUndefined();
    setBounds({ maxRequestsPerSecond: 1 });
    expect([1, 2].map(() => one.refusalOfRequest(APP, "asks") === undefined)).toEqual([true, false]);
    setBounds({ maxRequestsPerSecond: 1_000 });
    expect(one.refusalOfRequest(APP, "asks")?.retryAfter).toBeLessThanOrEqual(1_000);
  });
});

describe("connections", () => {
  test("hold over all threads in sum, and one is free again when it closes", () => {
    const { one, two } = setup({ maxConnections: 2 });
    const [first, second, third] = [openSocket(), openSocket(), openSocket()];
    expect(one.refusalOfConnection(APP, first)).toBeUndefined();
    expect(two.refusalOfConnection(APP, second)).toBeUndefined();
    expect(one.refusalOfConnection(APP, third)).toMatchObject({
      reason: "CALLER_QUOTA",
      numbers: { maxConnections: 2 },
    });
    // Further calls on one that counts are no further connections.
    expect(one.refusalOfConnection(APP, first)).toBeUndefined();
    expect(one.refusalOfConnection(OTHER, third)).toBeUndefined();
    close(second);
    expect(one.refusalOfConnection(APP, third)).toBeUndefined();
  });

  test("that are open count when a bound comes, and go on", () => {
    const { one, setBounds } = setup({});
    const open = [openSocket(), openSocket()];
    for (const socket of open) one.refusalOfConnection(APP, socket);
    setBounds({ maxConnections: 2 });
    expect(one.refusalOfConnection(APP, openSocket())).toBeDefined();
    for (const socket of open) expect(one.refusalOfConnection(APP, socket)).toBeUndefined();
  });

  test("of very many callers on one socket are all given back with it", () => {
    const { one } = setup({ maxConnections: 1 });
    const socket = openSocket();
    const callers = Array.from({ length: 100 }, (_, i) => callerNamed(`token:t${i}`));
    for (const caller of callers) expect(one.refusalOfConnection(caller, socket)).toBeUndefined();
    expect(socket.listenerCount("close")).toBe(1);
    close(socket);
    for (const caller of callers) expect(one.refusalOfConnection(caller, openSocket())).toBeUndefined();
  });
});
