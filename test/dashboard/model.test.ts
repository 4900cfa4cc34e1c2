import { describe, expect, test } from "vitest";
import { arrange, needy, takeCensus } from "../../src/dashboard/model/census.ts";
import { formatRoute, parseRoute, type View } from "../../src/dashboard/model/route.ts";
import { type Load, loadFigures, streamWords } from "../../src/dashboard/model/server-load.ts";
import { serverSentence, settingsOf } from "../../src/dashboard/model/server-words.ts";
import { stageLimitPreview } from "../../src/dashboard/model/stage-limit.ts";
import { slotsOf } from "../../src/dashboard/ui/windowed.ts";
import { limiterOf } from "./support/limiter.ts";

describe("addresses", () => {
  test.each<[string, View]>([
    ["", { kind: "overview" }],
    ["#/", { kind: "overview" }],
    ["#/limiters/team/db", { kind: "limiter", name: "team/db" }],
    ["#/boards", { kind: "boards" }],
    ["#/boards/release%202", { kind: "board", name: "release 2" }],
    ["#/server", { kind: "server" }],
    ["#/nowhere/%E0%A4%A", { kind: "overview" }],
  ])("%j is read", (hash, view) => {
    expect(parseRoute(hash).view).toEqual(view);
  });

  test("what is shown is the same after it was written and read", () => {
    for (const name of ["db", "team/db", "a?b#c", "ü 100 %"]) {
      const view: View = { kind: "limiter", name };
      expect(parseRoute(formatRoute({ view })).view).toEqual(view);
    }
    const route = { view: { kind: "overview" }, filter: "pay & ?", sort: "-waiting" } as const;
    expect(parseRoute(formatRoute(route))).toEqual(route);
  });
});

describe("the order of limiters", () => {
  const at = 1_000_000;
  const known = [
    { at, limiter: limiterOf({ name: "calm", description: "The database" }) },
    { at, limiter: limiterOf({ name: "full", maxConcurrent: 2 }, { waiters: 3, oldestWaitMs: 500, permitsInUse: 2 }) },
    {
      at,
      limiter: limiterOf({ name: "stuck", maxConcurrent: 1 }, { waiters: 1, oldestWaitMs: 5_000, permitsInUse: 1 }),
    },
    { at, limiter: limiterOf({ name: "paused", paused: true }, { waiters: 1, oldestWaitMs: 100 }) },
  ];

  test("what waits grows older between two words of the server, and a queue that stands becomes stuck", () => {
    expect(needy(takeCensus(known, at).all)).toEqual(["paused"]);
    const later = takeCensus(known, at + 6_000);
    expect(needy(later.all)).toEqual(["stuck", "paused"]);
    expect(later.totals).toMatchObject({ limiters: 4, needing: 2, waiting: 5, oldestWaitMs: 11_000 });
  });

  test.each([
    ["", ["stuck", "full", "paused", "calm"]],
    ["name", ["calm", "full", "paused", "stuck"]],
    ["-name", ["stuck", "paused", "full", "calm"]],
    ["-waiting", ["full", "paused", "stuck", "calm"]],
    ["-nothing", ["stuck", "full", "paused", "calm"]],
  ])("sorted by %j", (sort, names) => {
    const { all } = takeCensus(known, at + 6_000);
    expect(arrange(all, "", sort)).toEqual(names);
  });

  test("the filter looks at names, descriptions and states, and wants all words", () => {
    const { all } = takeCensus(known, at + 6_000);
    expect(arrange(all, "DATA", "")).toEqual(["calm"]);
    expect(arrange(all, "stuck", "")).toEqual(["stuck"]);
    expect(arrange(all, "calm nothing", "")).toEqual([]);
  });
});

describe("rows of a long table", () => {
  const gap = (from: number, rows: number) => ({ kind: "gap", from, rows });
  const row = (index: number) => ({ kind: "row", index });

  test.each([
    [{ from: 0, to: 3 }, -1, [row(0), row(1), row(2), gap(3, 7)]],
    [{ from: 4, to: 6 }, -1, [gap(0, 4), row(4), row(5), gap(6, 4)]],
    [{ from: 4, to: 6 }, 1, [gap(0, 1), row(1), gap(2, 2), row(4), row(5), gap(6, 4)]],
    [{ from: 4, to: 6 }, 9, [gap(0, 4), row(4), row(5), gap(6, 3), row(9)]],
    [{ from: 4, to: 6 }, 5, [gap(0, 4), row(4), row(5), gap(6, 4)]],
    [{ from: 8, to: 20 }, -1, [gap(0, 8), row(8), row(9)]],
  ])("of ten rows %j are seen and %i has the focus", (range, focused, slots) => {
    expect(slotsOf(10, range, focused)).toEqual(slots);
  });
});

describe("the server in words", () => {
  test.each([
    ["SERVING", {}, "The server serves."],
    ["NOT_SERVING", {}, "The server does not serve."],
    [
      "NOT_SERVING",
      { draining: true },
      "The server is about to stop: it finishes what is held, and admits nothing new.",
    ],
    [
      "SERVING",
      { learningEndTime: "2026-01-01T00:00:12.5Z" },
      "The server grants nothing for 13 s more: it may not know every lease from before its start.",
    ],
    ["SERVING", { learningEndTime: "2025-12-31T23:59:59Z" }, "The server serves."],
    ["SERVING", { storeProblem: "disk full" }, "The data folder takes nothing, and nothing is granted: disk full"],
  ])("health %s, %j", (health, status, words) => {
    expect(serverSentence(health, status, "2026-01-01T00:00:00Z").words).toBe(words);
  });

  test("what it carries is in figures, and a figure that JSON leaves out is 0", () => {
    const values = (load: Load) => loadFigures(load).map(({ value }) => value);
    const load: Load = {
      streams: [
        { method: "a.v1.B/Session", open: 4 },
        { method: "a.v1.B/Acquire", open: 1_200 },
      ],
      grpcConnections: 3,
      webConnections: 2,
      eventLoopDelay: { p50: "0.0004s", p99: "0.012s", longest: "1.5s", thread: "transport 1" },
      heapUsedBytes: "48200000",
      heapTotalBytes: "90000000",
      storeBytes: "5000000000",
    };
    expect(values(load)).toEqual(["1,204", "5", "0.4ms / 12ms", "1.5s", "48.2 MB", "5 GB"]);
    expect(streamWords(load)).toBe("1,200 Acquire, 4 Session");
    expect(values({})).toEqual(["0", "0", "0ms / 0ms", "0ms", "0 B", "–"]);
    expect(streamWords({})).toBe("");
  });

  test("a setting reads as the file writes it, lists of entries and words of enumerations too", () => {
    const config = {
      logging: { level: "LOG_LEVEL_WARN" },
      store: { leases: "DURABILITY_DISK" },
      metrics: { keys: [{ limiter: "tenants", key: "acme" }] },
      access: [{ who: ["token:ci"], may: ["ACCESS_VERB_ACQUIRE", "ACCESS_VERB_OBSERVE"], bounds: { maxWaiters: 1 } }],
    };
    expect(settingsOf({ config }).map(({ field, value }) => `${field}: ${value}`)).toEqual([
      "logging.level: warn",
      "store.leases: disk",
      "metrics.keys: { limiter: tenants, key: acme }",
      "access: { who: [token:ci], may: [acquire, observe], bounds: { max_waiters: 1 } }",
    ]);
  });

  test("settings stand under the paths of the file, each with where it comes from", () => {
    const config = { limits: { maxWaiters: 7 }, listeners: { corsOrigins: ["a", "b"] } };
    const origins = [{ field: "limits.max_waiters", origin: "ORIGIN_FILE" }];
    expect(settingsOf({ config, origins })).toEqual([
      { field: "limits.max_waiters", value: "7", from: "the file" },
      { field: "listeners.cors_origins", value: "a, b", from: "default" },
    ]);
  });
});

test.each([
  [3, 2, "3 cards in Review stay there, and none is pulled into it until there are fewer than 2."],
  [2, 2, "Review is full with the 2 cards that it has."],
  [1, 3, "Review has 1 card, and room for 2 more."],
  [1, undefined, "Review takes whatever is pulled into it."],
])("with %i cards, a limit of %s", (cards, limit, words) => {
  expect(stageLimitPreview("Review", cards, limit)).toBe(words);
});
