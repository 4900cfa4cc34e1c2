/** The screen of `top`: what it shows of what it knows, and what keys do. */

import { describe, expect, it } from "vitest";
import type { Key, NamedKey } from "../../../src/cli/text/keys.ts";
import { textWidth } from "../../../src/cli/text/width.ts";
import { draw } from "../../../src/cli/top/draw.ts";
import { press } from "../../../src/cli/top/press.ts";
import { createTopState, type TopState } from "../../../src/cli/top/state.ts";
import type { Limiter, LimiterStatus } from "../../../src/client/api/limiter.ts";
import { explain } from "../../../src/explain/explanation.ts";
import {
  leaseOf,
  limiterOf,
  MINUTE,
  NOW,
  obstacleOf,
  SECOND,
  sightOf,
  standing,
  waiterOf,
} from "../../explain/builders.ts";

const SIZE = { columns: 80, rows: 24 };
const WALL = { wall: NOW };

function stateOf(limiters: readonly Limiter[]): TopState {
  const state = createTopState("db.internal:50051");
  for (const limiter of limiters) state.limiters.set(limiter.name, { limiter, at: 0 });
  return state;
}

function show(state: TopState, { now = 0, ...size } = { ...SIZE, now: 0 }) {
  return draw(state, { ...size, now, ...WALL });
}

/** Presses keys, each after the screen has been drawn, as it is. */
function type(state: TopState, ...keys: readonly (NamedKey | Key)[]) {
  return keys.map((key) => {
    const { page } = show(state);
    return press(state, typeof key === "string" ? { kind: key as NamedKey } : key, { page, now: 0 });
  });
}
const text = (letters: string): Key[] => Array.from(letters, (letter) => ({ kind: "text", text: letter }));

const selected = (state: TopState) => show(state).lines.find(({ text: line }) => line.startsWith("> "))?.text;
const textsOf = (state: TopState, options?: Parameters<typeof show>[1]) =>
  show(state, options).lines.map(({ text: line }) => line);

function waiting(name: string, ms: number, status: Partial<LimiterStatus> = {}): Limiter {
  return limiterOf({ name }, standing(ms, { obstacles: [obstacleOf(name, "CONCURRENCY_EXHAUSTED")], ...status }));
}

const SEVERAL = [
  limiterOf({ name: "calm" }),
  waiting("stuck", MINUTE),
  waiting("busy", SECOND, { sinceLastGrantMs: 0, waiters: 40, admissionRate: 12 }),
  limiterOf({ name: "refusing" }, { arrivalRate: 10, refusalRate: 2 }),
];

describe("the list", () => {
  it("has those in trouble first, with what holds them back, and sums above", () => {
    const lines = textsOf(stateOf(SEVERAL));
    expect(lines[0]).toMatch(/^backpressure top · db\.internal:50051 · \d\d:\d\d:\d\d$/);
    expect(lines.slice(1, 3)).toEqual([
      "2 of 4 limiters need you. 43 waiting, oldest 1m · 120 refused/min · 4 holding",
      "[limiters] boards · by trouble",
    ]);
    expect(lines.slice(3, 8)).toEqual([
      "  STATE     LIMITER   IN USE  WAITING  OLDEST  λ/s  μ/s  REFUSED/m  HELD BACK BY",
      "> Stuck     stuck        2/2        3      1m    0    0          0  no release",
      "  Shedding  refusing     0/2        0       -    0    0        120  -",
      "  Full      busy         2/2       40      1s   12    0          0  concurrency",
      "  Calm      calm         0/2        0       -    0    0          0  -",
    ]);
    expect(lines.at(-1)).toBe("q quit · Enter open · / filter · Tab boards · sort: t n w o u a r · ↑↓ move");
  });

  it("says a state in words, and shows it by a tone", () => {
    const { lines } = show(stateOf(SEVERAL));
    expect(lines.slice(4, 8).map(({ tone }) => tone)).toEqual(["selected", "warning", "plain", "plain"]);
  });

  it.each([
    [80, 24],
    [40, 12],
    [20, 5],
    [300, 80],
  ])("fits into %d columns and %d rows", (columns, rows) => {
    const { lines } = show(stateOf(SEVERAL), { columns, rows, now: 0 });
    expect(lines).toHaveLength(rows);
    if (columns >= 40)
      for (const { text: line } of lines.slice(1)) expect(textWidth(line)).toBeLessThanOrEqual(columns);
  });

  it("makes only the rows that are to be seen of 20,000, and finds the one that is stuck", () => {
    const many = Array.from({ length: 20_000 }, (_, index) => limiterOf({ name: `l${index}` }));
    const state = stateOf([...many, waiting("stuck", MINUTE)]);
    const { lines, page } = show(state);
    expect(lines).toHaveLength(24);
    expect(page).toBe(19);
    expect(selected(state)).toMatch(/^> Stuck +stuck /);
    type(state, "end");
    expect(selected(state)).toMatch(/^> Calm +l9999 /);
    expect(textsOf(state)[4]).toMatch(/ l9982 /);
  });

  it("gets older while nothing is heard", () => {
    const state = stateOf([waiting("db", 5 * SECOND)]);
    expect(textsOf(state)[4]).toMatch(/^> Full +db .* 5s .* concurrency$/);
    expect(textsOf(state, { ...SIZE, now: 5 * SECOND })[4]).toMatch(/^> Stuck +db .* 10s .* no release$/);
  });
});

describe("a server that is lost", () => {
  it("is said so, and what is shown is as of then", () => {
    const state = stateOf([waiting("db", 5 * SECOND)]);
    state.connection = { kind: "lost", at: SECOND, wall: NOW, why: "connection refused" };
    const { lines } = show(state, { ...SIZE, now: MINUTE });
    const texts = lines.map(({ text: line }) => line);
    expect(texts[0]).toMatch(/^LOST since \d\d:\d\d:\d\d, as of then · db\.internal:50051$/);
    expect(texts[1]).toBe("connection refused; trying again");
    expect(texts[5]).toMatch(/^> Full +db .* 6s /);
    expect(lines.slice(4, 6).every(({ tone }) => tone === "faint")).toBe(true);
  });
});

describe("keys", () => {
  it("move, and what is selected stays so when the order changes", () => {
    const state = stateOf(SEVERAL);
    type(state, "down");
    expect(selected(state)).toContain("refusing");
    state.limiters.set("calm", { limiter: waiting("calm", 2 * MINUTE), at: 0 });
    expect(selected(state)).toContain("refusing");
    expect(textsOf(state)[4]).toContain("calm");
    type(state, "home", ...text("kkkk"));
    expect(selected(state)).toContain("calm");
    type(state, ...text("jjG"));
    expect(selected(state)).toContain("busy");
    // When it goes, its neighbour is.
    state.limiters.delete("busy");
    expect(selected(state)).toContain("refusing");
  });

  it.each([
    ["n", ["busy", "calm", "refusing", "stuck"]],
    ["w", ["busy", "stuck", "calm", "refusing"]],
    ["o", ["stuck", "busy", "calm", "refusing"]],
    ["u", ["busy", "stuck", "calm", "refusing"]],
    ["a", ["busy", "calm", "refusing", "stuck"]],
    ["r", ["refusing", "busy", "calm", "stuck"]],
    ["t", ["stuck", "refusing", "busy", "calm"]],
  ])("%s sorts", (key, names) => {
    const state = stateOf(SEVERAL);
    type(state, ...text(key));
    expect(
      textsOf(state)
        .slice(4, 8)
        .map((line) => line.split(/ +/)[2]),
    ).toEqual(names);
  });

  it("filter by name, state and cause, and take the filter back", () => {
    const state = stateOf(SEVERAL);
    type(state, ...text("/no releasx"), "backspace");
    expect(textsOf(state)[2]).toBe("[limiters] boards · by trouble · /no releas_");
    expect(textsOf(state).slice(4, 6)).toEqual([expect.stringContaining("stuck"), ""]);
    // Keys that mean something else are letters here.
    expect(type(state, "enter", ...text("/"), ...text("q"))).not.toContain("quit");
    expect(textsOf(state)[3]).toBe("No limiter matches.");
    type(state, "escape");
    expect(textsOf(state)[2]).toBe("[limiters] boards · by trouble");
  });

  it("open the one that is selected, scroll, and go back to it", () => {
    const state = stateOf(SEVERAL);
    expect(type(state, "down", "enter").at(-1)).toBe("opened");
    expect(state.opened).toMatchObject({ tab: "limiters", name: "refusing", detail: undefined });
    expect(textsOf(state).slice(1, 4)).toEqual(["limiter refusing", "", "…"]);
    type(state, "escape");
    expect(state.opened).toBeUndefined();
    expect(selected(state)).toContain("refusing");
  });

  it("quit", () => {
    expect(type(stateOf([]), ...text("q"))).toEqual(["quit"]);
    expect(type(stateOf([]), "interrupt")).toEqual(["quit"]);
    expect(type(stateOf([]), ...text("/"), "interrupt")).toEqual(["done", "quit"]);
    expect(type(stateOf(SEVERAL), "enter", ...text("q"))).toEqual(["opened", "quit"]);
  });
});

describe("a limiter that is opened", () => {
  it("shows why it stands, its holders and its waiters", () => {
    const sight = sightOf(limiterOf({}, standing(12 * MINUTE)), {
      leases: [leaseOf("lease-1", 12 * MINUTE, { holder: "trainer" })],
      waiters: [waiterOf("waiter-1", { holder: "next", arriveTime: new Date(NOW - 2 * MINUTE), away: true })],
    });
    const state = stateOf([sight.limiter]);
    type(state, "enter");
    if (state.opened !== undefined) {
      state.opened.detail = { kind: "limiter", explanation: explain({ of: sight, others: [] }), sight };
    }
    const lines = textsOf(state, { columns: 120, rows: 30, now: 0 });
    expect(lines.slice(3, 5)).toEqual([
      "db",
      expect.stringMatching(/^ {2}Stuck: 3 requests wait, the first for 12m, /),
    ]);
    expect(lines).toContain("  backpressure revoke lease-1");
    expect(lines).toContain(" 12m  trainer  db     attached  lease-1");
    expect(lines).toContain("    2m  next    db      away         -  waiter-1");
    // No further than to the last line.
    type(state, "end", "end");
    expect(textsOf(state, { columns: 120, rows: 30, now: 0 })).toContain("db");
  });

  it("says so where it cannot be read", () => {
    const state = stateOf(SEVERAL);
    type(state, "enter");
    if (state.opened !== undefined) state.opened.detail = { kind: "failed", why: "there is no such limiter" };
    expect(textsOf(state)[3]).toBe("there is no such limiter");
  });
});
