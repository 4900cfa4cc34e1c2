/** An engine out of reach: each call is answered UNAVAILABLE with a time to ask again, and nothing is left unhandled. */

import { create, type DescMessage, type MessageInitShape } from "@bufbuild/protobuf";
import { expect, test, vi } from "vitest";
import type { BoardEngine } from "../../../src/server/engine/board-engine.ts";
import { type Engine, EngineUnavailable } from "../../../src/server/engine/engine.ts";
import { createIds } from "../../../src/server/ids.ts";
import { createAdmissionService } from "../../../src/server/service/admission-service.ts";
import { createBoardService } from "../../../src/server/service/board-service.ts";
import { createCallsUnderWay } from "../../../src/server/service/calls-under-way.ts";
import { createLimiterService } from "../../../src/server/service/limiter-service.ts";
import type { RpcService, StreamEnd } from "../../../src/server/service/rpc.ts";
import { Code } from "../../../src/server/wire/error-wire.ts";
import { callOf } from "../../support/call-of.ts";
import { createFakeClock } from "../../support/fake-clock.ts";

const BEAT = 5_000_000;

const UNAVAILABLE = {
  code: Code.Unavailable,
  details: [{ value: { reason: "ENGINE_UNAVAILABLE" } }, { value: { retryDelay: { seconds: 1n } } }],
};

type Fail = (error: EngineUnavailable) => void;

/** Engines that can be reached until they are lost; then all that they were asked, and are asked, fails. */
function createLostEngines() {
  const failures = new Set<Fail>();
  let lost = false;
  const error = () => new EngineUnavailable(lost ? "no" : "unknown");
  const read = () => (lost ? Promise.reject(error()) : new Promise<never>((_, reject) => failures.add(reject)));
  const port = {
    submit(_: unknown, __: unknown, fail: Fail) {
      if (lost) fail(error());
      else failures.add(fail);
    },
    openStream(_: unknown, fail: Fail) {
      if (!lost) failures.add(fail);
      return 1;
    },
    closeStream() {},
    watch(_: unknown, fail: Fail) {
      if (lost) queueMicrotask(() => fail(error()));
      else failures.add(fail);
      return () => {};
    },
    close: async () => {},
  };
  const engine: Engine = {
    ...port,
    limiter: read,
    limiters: read,
    leases: read,
    lease: read,
    knowsLease: read,
    waiters: read,
    waiter: read,
    history: read,
    note: read,
  };
  const boards: BoardEngine = {
    ...port,
    board: read,
    boards: read,
    card: read,
    cards: read,
    flow: read,
    delta: read,
    working: read,
    place: read,
  };
  return {
    engine,
    boards,
    lose() {
      for (const fail of failures) fail(error());
      failures.clear();
      lost = true;
    },
  };
}

function setUp() {
  const clock = createFakeClock();
  const ids = createIds();
  const engines = createLostEngines();
  const { engine, boards } = engines;
  const heartbeat = () => BEAT;
  const calls = createCallsUnderWay({ clock, bound: () => 60_000_000 });
  const services = [
    createAdmissionService({ clock, ids, engine, heartbeat }).service,
    createLimiterService({ clock, engine }),
    createBoardService({ clock, ids, boards, heartbeat }).service,
  ].map(calls.watch);
  const leaseId = ids.next();
  return { clock, ...engines, services, credential: { leaseId, secret: ids.secretOf(leaseId) } };
}

/** A message that gets past the services' own checks. */
function requestOf(input: DescMessage, credential: { readonly leaseId: string; readonly secret: string }) {
  const fields = new Set(input.fields.map(({ localName }) => localName));
  const init: Record<string, unknown> = {};
  for (const [name, value] of Object.entries({
    ...credential,
    leases: [credential, { ...credential, secret: "another" }],
    limiter: input.typeName.endsWith("LimiterRequest") ? { name: "db" } : "db",
    board: /(Create|Update)BoardRequest$/.test(input.typeName) ? { name: "b" } : "b",
    card: /(Add|Update)CardRequest$/.test(input.typeName) ? { id: "a" } : undefined,
    cards: /RenewCardsRequest$/.test(input.typeName) ? [{ cardId: "a", fencingToken: 1n }] : undefined,
  })) {
    if (fields.has(name) && value !== undefined) init[name] = value;
  }
  return create(input, init as MessageInitShape<DescMessage>);
}

function methodsOf(services: readonly RpcService[]) {
  return services.flatMap(({ methods }) => methods);
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** The transport's side of a stream. */
function openStream() {
  const fail = vi.fn();
  const ends: ((how: StreamEnd) => void)[] = [];
  const stream = {
    ...callOf(),
    probed: true,
    send: () => true,
    onWritable() {},
    end() {},
    fail,
    onEnd: (listener: (how: StreamEnd) => void) => void ends.push(listener),
  };
  return { stream, fail, ends };
}

test.each(["before", "after"])(
  "every unary call is answered UNAVAILABLE, asked %s the engine is lost",
  async (when) => {
    const { services, credential, lose } = setUp();
    if (when === "after") lose();
    const answers = methodsOf(services).flatMap((method) => {
      if (method.kind !== "unary") return [];
      const request = requestOf(method.descriptor.input, credential);
      // A handler may throw, or reject.
      const answer = Promise.resolve().then(() => method.handle(request, { ...callOf(), onGone() {} }));
      return [answer.then(String, (error: unknown) => ({ name: method.descriptor.name, error }))];
    });
    if (when === "before") {
      await turn();
      lose();
    }
    expect(answers.length).toBeGreaterThan(20);
    for (const answer of await Promise.all(answers)) expect(answer).toMatchObject({ error: UNAVAILABLE });
  },
);

test.each(["before", "after"])("every stream ends UNAVAILABLE, opened %s the engine is lost", async (when) => {
  const { services, credential, lose } = setUp();
  if (when === "after") lose();
  const streams = methodsOf(services).flatMap((method) => {
    if (method.kind !== "server_streaming") return [];
    const { stream, fail } = openStream();
    method.handle(requestOf(method.descriptor.input, credential), stream);
    return [{ name: method.descriptor.name, fail }];
  });
  await turn();
  if (when === "before") lose();
  await turn();
  expect(streams.map(({ name }) => name).sort()).toEqual(["Acquire", "PullCard", "WatchBoard", "WatchLimiters"]);
  for (const { fail } of streams) expect(fail.mock.calls).toMatchObject([[UNAVAILABLE]]);
});

test("a lease that cannot be looked up for a wrong secret is answered UNAVAILABLE", async () => {
  const { services, credential, lose } = setUp();
  lose();
  const acquire = methodsOf(services).find(({ descriptor }) => descriptor.name === "Acquire");
  if (acquire?.kind !== "server_streaming") throw new Error("there is no Acquire");
  const { stream, fail } = openStream();
  const resume = { ...credential, secret: "another" };
  acquire.handle(create(acquire.descriptor.input, { resume } as MessageInitShape<DescMessage>), stream);
  await turn();
  expect(fail.mock.calls).toMatchObject([[UNAVAILABLE]]);
});

test("a beat whose place cannot be read is left out, and the stream goes on", async () => {
  const clock = createFakeClock();
  const { engine, boards, lose } = createLostEngines();
  lose();
  // Commands are answered all the same.
  const waits = (answer: object) => ({ submit: (_: unknown, hear: (answer: never) => void) => hear(answer as never) });
  const waiting = waits({ kind: "waiting", waiterId: "w", waitersAhead: 0, estimatedWait: undefined });
  const pulling = waits({ kind: "pull-waiting", pullId: "p", place: { pullersAhead: 0, missing: "NO_CARD" } });
  const ports = { clock, ids: createIds(), heartbeat: () => BEAT };
  const services = [
    createAdmissionService({ ...ports, engine: { ...engine, ...waiting } }).service,
    createBoardService({ ...ports, boards: { ...boards, ...pulling } }).service,
  ];
  const fails = methodsOf(services).flatMap((method) => {
    if (method.kind !== "server_streaming" || method.descriptor.name === "WatchBoard") return [];
    const { stream, fail } = openStream();
    method.handle(create(method.descriptor.input), stream);
    return [fail];
  });
  clock.advance(2 * BEAT);
  await turn();
  expect(fails).toHaveLength(2);
  for (const fail of fails) expect(fail).not.toHaveBeenCalled();
});

test("the end of a stream that cannot reach the engine changes nothing", async () => {
  const { services, credential, lose } = setUp();
  const ends = methodsOf(services).flatMap((method) => {
    if (method.kind !== "server_streaming") return [];
    const { stream, ends } = openStream();
    method.handle(requestOf(method.descriptor.input, credential), stream);
    return ends;
  });
  lose();
  for (const end of ends) end("cancelled");
  await turn();
});
