/** What `doctor` makes of what it sees, each case beside its nearest neighbour. */

import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { checkBoards } from "../../../src/cli/doctor/check-boards.ts";
import { checkLimiters } from "../../../src/cli/doctor/check-limiters.ts";
import { checkReach } from "../../../src/cli/doctor/check-reach.ts";
import { checkServer, isLoopback } from "../../../src/cli/doctor/check-server.ts";
import { type Finding, some } from "../../../src/cli/doctor/finding.ts";
import type { LoadFacts, Observations, ServerFacts } from "../../../src/cli/doctor/observations.ts";
import type { Probe } from "../../../src/cli/doctor/probe.ts";
import type { Limiter, LimiterStatus } from "../../../src/client/api/limiter.ts";
import { BoardSchema } from "../../../src/client/gen/ggen/backpressure/v1/board_pb.ts";
import { boardFromWire } from "../../../src/client/wire/board.ts";
import { limiterOf, SECOND, standing } from "../../explain/builders.ts";

const SERVER: ServerFacts = {
  version: "1.2.3",
  clockAhead: 0,
  draining: false,
  learningFor: 0,
  storeProblem: "",
  fileProblems: [],
  fileProblemCount: 0,
  keeps: "process",
  restartFields: [],
  listens: "127.0.0.1:50051",
  load: undefined,
};

const LOAD: LoadFacts = {
  streams: 12,
  connections: 1,
  p99: 100,
  longest: 2_500,
  thread: "main",
  heapUsed: 48_000_000,
  storeBytes: 1_000_000,
};

function seen(about: Partial<Observations> = {}, server: Partial<ServerFacts> = {}): Observations {
  return {
    address: "localhost:50051",
    clientVersion: "1.2.3",
    roundTrips: [3, 1, 2],
    proxy: undefined,
    health: new Map([
      ["", true],
      ["S", true],
    ]),
    server: { ...SERVER, ...server },
    web: { kind: "reached", url: "http://127.0.0.1:8080" },
    limiters: [],
    boards: [],
    ...about,
  };
}

const levels = (findings: readonly Finding[]) =>
  findings.filter(({ level }) => level !== "ok").map(({ level, check }) => `${level} ${check}`);

describe("the server", () => {
  it("is found in order where it is", () => {
    const findings = checkServer(seen());
    expect(levels(findings)).toEqual([]);
    expect(findings.map(({ check }) => check)).toEqual(["reachable", "health", "version", "clock", "store", "web"]);
    expect(findings[0]?.what).toBe("localhost:50051 answers in 2ms");
  });

  it("says what it carries, and what it keeps if it keeps anything", () => {
    const said = (load: LoadFacts) => checkServer(seen({}, { load })).find(({ check }) => check === "load")?.what;
    const carried =
      "it carries 12 streams over 1 connection, is late by 100ms (p99 of the last minute, 2.5s at most), takes 48 MB of heap";
    expect(said(LOAD)).toBe(`${carried}, and has 1 MB on disk`);
    expect(said({ ...LOAD, storeBytes: undefined })).toBe(carried);
  });

  it.each<[string, Partial<Observations>, Partial<ServerFacts>, string[]]>([
    ["is far", { roundTrips: [99, 100, 101] }, {}, ["note reachable"]],
    ["is not so far", { roundTrips: [99, 99, 101] }, {}, []],
    ["stands behind a proxy", { proxy: "via: 1.1 edge" }, {}, ["note proxy"]],
    ["is called in plain text", { address: "10.0.0.7:50051" }, {}, ["note transport"]],
    ["is called over TLS", { address: "https://db.example.com" }, {}, []],
    ["does not serve", { health: new Map([["", false]]) }, {}, ["problem health"]],
    ["says nothing of itself", { server: undefined }, {}, ["note version"]],
    ["is of another version", {}, { version: "1.2.4" }, ["note version"]],
    ["is too old to say its version", {}, { version: "", clockAhead: undefined }, ["note version"]],
    ["has another time", {}, { clockAhead: -2_001 }, ["warning clock"]],
    ["has nearly the same", {}, { clockAhead: 2_000 }, []],
    ["is so far that no clock can be compared", { roundTrips: [5_000] }, { clockAhead: 5_000 }, ["note reachable"]],
    ["is late", {}, { load: { ...LOAD, p99: 101 } }, ["warning load"]],
    ["is late once", {}, { load: LOAD }, []],
    ["drains", {}, { draining: true }, ["problem draining"]],
    ["learns", {}, { learningFor: 1 }, ["problem learning"]],
    ["cannot keep anything", {}, { storeProblem: "the disk is full" }, ["problem store-problem"]],
    [
      "refuses its file",
      {},
      { fileProblems: ["a.yaml:1:1: limiters: must be a list"], fileProblemCount: 1 },
      ["problem file"],
    ],
    ["keeps nothing", {}, { keeps: "nothing" }, ["warning store"]],
    ["keeps no leases", {}, { keeps: "no-leases" }, ["warning store"]],
    ["keeps all on disk", {}, { keeps: "disk" }, []],
    ["needs a restart", {}, { restartFields: ["listeners.grpc"] }, ["warning restart"]],
    [
      "has a web port that does not answer",
      { web: { kind: "unreachable", url: "http://a:1", why: "x" } },
      {},
      ["warning web"],
    ],
    ["has a web port elsewhere", { web: { kind: "unknown" } }, {}, []],
  ])("%s", (_, about, server, found) => {
    const observed = seen(about, server);
    expect(levels(checkServer("server" in about ? { ...observed, server: undefined } : observed))).toEqual(found);
  });

  it.each([
    ["localhost:50051", true],
    ["127.0.0.1:1", true],
    ["http://[::1]:50051", true],
    ["127.0.0.1.example.com:1", false],
    ["10.0.0.7:50051", false],
    ["https://localhost", true],
  ])("at %s is on this machine: %s", (address, is) => {
    expect(isLoopback(address)).toBe(is);
  });
});

describe("limiters", () => {
  const find = (about: Partial<Limiter>, status: Partial<LimiterStatus> = {}, roundTrips: readonly number[] = [1]) =>
    levels(checkLimiters({ limiters: [limiterOf(about, status)], roundTrips }));

  it.each<[string, Partial<Limiter>, Partial<LimiterStatus>, string[]]>([
    ["one as any other", {}, {}, []],
    ["one that is stuck", {}, standing(10 * SECOND), ["problem stuck"]],
    ["one that is about to be", {}, standing(10 * SECOND - 1), []],
    ["paused with waiters", { paused: true }, { waiters: 1 }, ["warning paused"]],
    ["paused without", { paused: true }, {}, []],
    ["one that refuses", {}, { refusalRate: 1, arrivalRate: 2 }, ["warning shedding"]],
    [
      "claims above its burst",
      { burstSize: 5, maxRps: 10 },
      { refusals: { CLAIM_EXCEEDS_LIMIT: 2 } },
      ["warning claim-exceeds-limit"],
    ],
    ["a full queue", {}, { refusals: { QUEUE_FULL: 2 } }, ["warning queue-full"]],
    ["a queue that is meant to be none", { maxWaiters: 0 }, { refusals: { QUEUE_FULL: 2 } }, []],
    ["no room for keys", { keyed: true, maxKeys: 5 }, { refusals: { KEYS_EXHAUSTED: 2 } }, ["warning keys-exhausted"]],
    ["an overloaded resource", {}, { grantedCount: 10, overloadedCount: 3 }, ["warning overloaded"]],
    ["a resource that is overloaded now and then", {}, { grantedCount: 10, overloadedCount: 2 }, []],
    ["many orphans", {}, { leases: 19, orphanedLeases: 10 }, ["warning orphaned"]],
    ["few orphans", {}, { leases: 9, orphanedLeases: 9 }, []],
    ["max_wait 0 and a queue", { maxWait: 0 }, {}, ["note max-wait-zero"]],
    ["max_wait 0 and none", { maxWait: 0, maxWaiters: 0 }, {}, []],
    ["a max_wait and no queue", { maxWait: 5, maxWaiters: 0 }, {}, ["note max-waiters-zero"]],
    ["a burst below 2 ms", { maxRps: 1_000, burstSize: 1 }, {}, ["note burst-polls"]],
    ["a burst of 2 ms", { maxRps: 1_000, burstSize: 2 }, {}, []],
    ["a ttl of 0", { ttl: 0 }, {}, ["note ttl-zero"]],
    ["a ttl of 0 of the sample", { ttl: 0, name: "sample" }, {}, []],
  ])("%s", (_, about, status, found) => {
    expect(find(about, status)).toEqual(found);
  });

  it("have a ttl of four round trips in its half", () => {
    expect(find({ ttl: 800 }, {}, [100])).toEqual([]);
    expect(find({ ttl: 799 }, {}, [100])).toEqual(["problem ttl-round-trips"]);
  });

  it("are named together, the first few", () => {
    const limiters = ["a", "b", "c", "d", "e", "f", "g"].map((name) => limiterOf({ name, ttl: 0 }));
    const findings = checkLimiters({ limiters, roundTrips: [1] });
    expect(findings[1]?.what).toBe(
      "a (ttl 0s), b (ttl 0s), c (ttl 0s), d (ttl 0s), e (ttl 0s) and 2 more: leases end with their stream, whichever way that ends",
    );
    expect(findings[0]).toMatchObject({ level: "ok", what: "nothing looks wrong with 7 limiters" });
    expect(some(["a"])).toBe("a");
  });
});

describe("boards", () => {
  const board = (limiter: string, status = {}) =>
    boardFromWire(
      create(BoardSchema, {
        name: "b",
        stages: [{ name: "Todo" }, { name: "Build", wipLimit: 3, limiter }, { name: "Done" }],
        status,
      }),
    );
  const find = (limiter: string, about: Partial<Limiter> = {}, status = {}) =>
    levels(checkBoards({ boards: [board(limiter, status)], limiters: [limiterOf({ name: "ci", ...about })] }));

  it.each<[string, string[]]>([
    ["", []],
    ["gone", ["problem stage-limiter"]],
  ])("whose stage names the limiter %j", (limiter, found) => {
    expect(find(limiter)).toEqual(found);
  });

  it.each<[string, Partial<Limiter>, string[]]>([
    ["has room for all", { maxConcurrent: 3 }, []],
    ["has none for all", { maxConcurrent: 2 }, ["warning stage-wip"]],
    ["has a rate alone", { maxConcurrent: undefined }, []],
    ["is keyed", { keyed: true }, ["problem stage-limiter"]],
  ])("whose stage's limiter %s", (_, about, found) => {
    expect(find("ci", about)).toEqual(found);
  });

  it("that do not flow", () => {
    expect(find("", {}, { bottleneck: "Build", blocked: 2 })).toEqual(["note bottleneck", "note blocked"]);
  });
});

describe("a server that is not reached", () => {
  it.each<[Probe, RegExp, RegExp]>([
    [{ kind: "no-connection", code: "ECONNREFUSED" }, /refused/, /backpressure serve/],
    [{ kind: "no-connection", code: "ENOTFOUND" }, /no such host/, /name/],
    [{ kind: "no-connection", code: "EWHATEVER" }, /^it failed$/, /between/],
    [{ kind: "silent" }, /says nothing/, /gRPC port/],
    [{ kind: "wants-tls" }, /speaks TLS/, /https:\/\//],
    [{ kind: "no-tls" }, /no TLS/, /without https/],
    [{ kind: "tls-failed", why: "self-signed" }, /self-signed/, /--ca-file/],
    [{ kind: "no-http2" }, /without HTTP\/2/, /ALPN/],
    [{ kind: "other-protocol", begins: "SSH-2.0" }, /"SSH-2\.0"/, /50051/],
    [{ kind: "http2" }, /it failed/, /log/],
  ])("%j", (probe, why, todo) => {
    const finding = checkReach("db:50051", "it failed", probe);
    expect(finding).toMatchObject({ level: "problem", check: "reachable", what: "db:50051 does not answer" });
    expect(finding.why).toMatch(why);
    expect(finding.todo).toMatch(todo);
  });
});
