/** ops/grafana.json, as Grafana reads it. */

import { expect, test } from "vitest";
import { DASHBOARD, QUERIES, TEXT } from "./support/dashboard.ts";
import { usesOf } from "./support/promql.ts";

const { panels, templating } = DASHBOARD;

test("it has an address of its own, a version of the schema, and its data from whatever Prometheus is chosen", () => {
  expect(DASHBOARD).toMatchObject({ uid: "backpressure", title: "Backpressure" });
  expect(DASHBOARD.schemaVersion).toBeGreaterThanOrEqual(39);
  expect(templating.list[0]).toMatchObject({ name: "datasource", type: "datasource", query: "prometheus" });
  const sources = [...TEXT.matchAll(/"uid": ("[^"]*")/g)].map(([, uid]) => uid);
  expect(new Set(sources)).toEqual(new Set(['"backpressure"', '"$' + '{datasource}"']));
});

test("every panel has its number, a title, and queries if it is no heading", () => {
  const ids = panels.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  for (const { title, type, targets = [] } of panels) {
    expect(title).not.toBe("");
    expect(targets.length > 0, title).toBe(type !== "row");
    expect(new Set(targets.map(({ refId }) => refId)).size, title).toBe(targets.length);
  }
});

test("no panel covers another, and none is wider than the page", () => {
  const taken = new Map<string, string>();
  for (const { title, gridPos } of panels) {
    expect(gridPos.x + gridPos.w, title).toBeLessThanOrEqual(24);
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
        expect(taken.get(`${x},${y}`), `${title} at ${x},${y}`).toBeUndefined();
        taken.set(`${x},${y}`, title);
      }
    }
  }
});

test("there is a heading for all limiters, for one, for a board, and for the server", () => {
  const headings = panels.filter(({ type }) => type === "row").map(({ title }) => title);
  expect(headings).toEqual(["Overview", "Limiter $limiter", "Board $board", "Server"]);
});

test.each(QUERIES)(
  "$from: the query is PromQL, of the job and servers that are chosen, and its legend has labels that it asks for",
  ({ from, expr, legend }) => {
    const { metrics } = usesOf(expr);
    expect(metrics.size).toBeGreaterThan(0);
    for (const [metric, labels] of metrics) {
      if (metric !== "ALERTS" && from !== "$job" && from !== "$instance")
        expect([...labels], metric).toContain("instance");
      for (const [, label = ""] of legend.matchAll(/{{(\w+)}}/g)) expect([...labels], metric).toContain(label);
    }
  },
);
